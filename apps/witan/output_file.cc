// Names and permissions; a full disk shows only when it is written to.
#include "witan/output_file.h"

#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <system_error>

#include "base/error.h"

namespace witan::cli {

namespace fs = std::filesystem;

void require_writable(const std::string& path) {
  if (path.empty()) return;
  std::error_code error;
  const fs::path target = fs::weakly_canonical(fs::absolute(path), error);  // links are followed
  if (error) return;                                                        // writing will tell
  if (fs::is_directory(target, error)) fail("{}: cannot write: a folder has this name", path);
  const bool in_place = fs::exists(target, error) && !fs::is_regular_file(target, error);  // a device, a pipe
  fs::path place = in_place ? target : target.parent_path();
  while (!fs::exists(place, error) && place != place.parent_path()) place = place.parent_path();
  if (!in_place && !fs::is_directory(place, error)) fail("{}: cannot write: {} is no folder", path, place.string());
  if (::access(place.c_str(), W_OK) != 0) {
    fail("{}: cannot write: {}: {}", path, place.string(), std::strerror(errno));
  }
}

}  // namespace witan::cli
