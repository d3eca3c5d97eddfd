// Work that cannot be stopped by asking, done by a copy of this process, which can be ended at any time.
#pragma once

#include <functional>
#include <string>

namespace witan {

// What `work` returns, computed by a child process that sees the memory of this moment and cannot change it. Throws
// Interrupted, with the child gone, as soon as interrupted() says so; the Error that `work` throws; and Error,
// beginning with `label`, when the child ends in another way. Where the system starts no child, `work` is done here. It
// must not use parallel_region, whose threads the child lacks; threads of its own it may start.
std::string in_child_process(const std::string& label, const std::function<std::string()>& work);

}  // namespace witan
