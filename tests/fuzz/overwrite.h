// Files for readers that take nothing else.
#pragma once

#include <filesystem>
#include <fstream>
#include <string_view>

#include "fuzz/require.h"

namespace witan::fuzz {

// Without the flush to disk of write_file, which would take most of a target's time.
inline void overwrite(const std::filesystem::path& path, std::string_view content) {
  std::ofstream out(path, std::ios::binary | std::ios::trunc);
  out << content << std::flush;
  require(out.good(), "a temporary file that cannot be written");
}

}  // namespace witan::fuzz
