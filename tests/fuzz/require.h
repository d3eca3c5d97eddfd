// What must hold of whatever a reader accepted.
#pragma once

#include <stdexcept>
#include <string>

namespace witan::fuzz {

// Throws what no target takes for a good end.
inline void require(bool holds, const char* what) {
  if (!holds) throw std::logic_error(std::string("a fuzz target found: ") + what);
}

}  // namespace witan::fuzz
