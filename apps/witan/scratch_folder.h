// A folder for as long as a command runs.
#pragma once

#include <filesystem>

namespace witan::cli {

class ScratchFolder {
 public:
  // In the system's folder for temporary files. Throws Error when it cannot be made.
  ScratchFolder();
  ScratchFolder(const ScratchFolder&) = delete;
  ScratchFolder& operator=(const ScratchFolder&) = delete;
  ~ScratchFolder();
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

}  // namespace witan::cli
