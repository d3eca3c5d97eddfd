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

// A regular file mapped read-only. Throws Error with path and reason. The bytes follow the file: what is replaced by
// write_file stays mapped as it was, what is cut short in place by another program ends this one.
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

// The whole of a file, or of a pipe, as bytes.
std::string read_text_file(const std::filesystem::path& path);

// Creates missing folders. On any failure (full disk, read-only folder) throws Error and leaves what was there as it
// was. Where something other than a regular file stands (a pipe, a terminal, /dev/null), it is written to in place.
void write_file(const std::filesystem::path& path, std::string_view content);
// The same, streamed. Writing to the stream throws as soon as the disk is full; `write` may throw too.
void write_file(const std::filesystem::path& path, const std::function<void(std::ostream&)>& write);
// A folder written whole or not at all: `fill` writes into a temporary sibling that is flushed and then takes the name;
// an older folder of that name is replaced. It is first renamed to ".NAME.old", then the new one takes its name, then
// the old one is removed: a crash in between leaves one whole folder under one of the two names, for recover_folder.
void write_folder(const std::filesystem::path& path, const std::function<void(const std::filesystem::path&)>& fill);
// Ends what a crash inside write_folder left: without a folder of that name, ".NAME.old" gets it back; with one,
// leftovers are removed. For whoever writes the folder: while another program does, it would undo the replacing half
// way. Does nothing when all is well.
void recover_folder(const std::filesystem::path& path);
// Where a reader finds the content of a folder written by write_folder, by this program or by one that runs now: `path`
// itself, or ".NAME.old" when only that is there. Changes nothing.
std::filesystem::path whole_folder(const std::filesystem::path& path);

}  // namespace witan
