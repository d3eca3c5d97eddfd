// Files: mapped for reading, and written whole or not at all (temporary name, flush to disk, rename).
#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
#include <iosfwd>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace witan {

// A file mapped read-only. Throws Error with path and reason.
class MappedFile {
 public:
  explicit MappedFile(const std::filesystem::path& path);
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;
  ~MappedFile();
  std::span<const std::byte> bytes() const { return bytes_; }
  std::string_view text() const { return {reinterpret_cast<const char*>(bytes_.data()), bytes_.size()}; }

 private:
  std::span<const std::byte> bytes_;
};

std::string read_text_file(const std::filesystem::path& path);
// Creates missing folders. On any failure (full disk, read-only folder) throws Error and leaves what was there as it
// was.
void write_file(const std::filesystem::path& path, std::string_view content);
// The same, streamed.
void write_file(const std::filesystem::path& path, const std::function<void(std::ostream&)>& write);
// A folder written whole or not at all: `fill` writes into a temporary sibling that is flushed and then takes the name;
// an older folder of that name is replaced.
void write_folder(const std::filesystem::path& path, const std::function<void(const std::filesystem::path&)>& fill);

}  // namespace witan
