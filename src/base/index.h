// A count or an index of the code's own arithmetic, as the standard containers want it.
#pragma once

#include <cstddef>
#include <cstdint>

namespace witan {

inline std::size_t index(std::int64_t i) { return static_cast<std::size_t>(i); }

}  // namespace witan
