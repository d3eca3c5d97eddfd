// mkdtemp, and its removal.
#include "witan/scratch_folder.h"

#include <stdlib.h>  // mkdtemp

#include <cerrno>
#include <cstring>
#include <string>

#include "base/error.h"

namespace witan::cli {

ScratchFolder::ScratchFolder() {
  std::error_code error;
  const std::filesystem::path place = std::filesystem::temp_directory_path(error);
  if (error) fail("no folder for temporary files: {}; TMPDIR names one", error.message());
  std::string pattern = (place / "witan-XXXXXX").string();
  if (::mkdtemp(pattern.data()) == nullptr) fail("{}: cannot be made: {}", pattern, std::strerror(errno));
  path_ = pattern;
}

ScratchFolder::~ScratchFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

}  // namespace witan::cli
