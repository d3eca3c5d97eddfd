// How finely rows of scores are cut for the threads. Part of no result.
#pragma once

#include <cstdint>

namespace witan {

// Rows per piece of work: with fewer a thread costs more than it brings.
inline constexpr std::int64_t kRowGrain = 256;

}  // namespace witan
