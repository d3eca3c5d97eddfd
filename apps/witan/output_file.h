// Files that a command writes at its end, looked at before its work.
#pragma once

#include <string>

namespace witan::cli {

// Throws Error when no file can be written there, as far as names and permissions tell: it is a folder, or its folder
// is a file, or is read-only. Does nothing for "", which stands for an output that nobody asked for.
void require_writable(const std::string& path);

}  // namespace witan::cli
