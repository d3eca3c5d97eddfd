// Files over POSIX calls, because the reasons of failure and the flush to disk are what matters here.
#include "base/file.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <ostream>
#include <streambuf>
#include <system_error>
#include <typeinfo>
#include <vector>

#include "base/error.h"

namespace witan {
namespace {

namespace fs = std::filesystem;

[[noreturn]] void fail_system(const fs::path& path, const char* what, int code) {
  fail("{}: {}: {}", path.string(), what, std::generic_category().message(code));
}

// An open file or folder; closed at the end of the scope.
class Descriptor {
 public:
  explicit Descriptor(int number) : number_(number) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (number_ >= 0) ::close(number_);
  }
  int number() const { return number_; }
  bool open() const { return number_ >= 0; }
  // Closing can report a failed write (network file systems), so success needs it to be asked.
  int close() {
    const int result = ::close(number_);
    number_ = -1;
    return result;
  }

 private:
  int number_;
};

// Output to a descriptor that throws the system's reason; std::ofstream only knows that something failed.
class DescriptorBuffer : public std::streambuf {
 public:
  DescriptorBuffer(int descriptor, const fs::path& shown) : descriptor_(descriptor), shown_(shown), buffer_(kBytes) {
    setp(buffer_.data(), buffer_.data() + buffer_.size());
  }

  void flush() {
    write_all(pbase(), static_cast<std::size_t>(pptr() - pbase()));
    setp(buffer_.data(), buffer_.data() + buffer_.size());
  }

 protected:
  int_type overflow(int_type c) override {
    flush();
    if (traits_type::eq_int_type(c, traits_type::eof())) return traits_type::not_eof(c);
    return sputc(traits_type::to_char_type(c));
  }
  std::streamsize xsputn(const char* data, std::streamsize count) override {
    if (count < epptr() - pptr()) {
      std::memcpy(pptr(), data, static_cast<std::size_t>(count));
      pbump(static_cast<int>(count));
    } else {
      flush();
      write_all(data, static_cast<std::size_t>(count));
    }
    return count;
  }
  int sync() override {
    flush();
    return 0;
  }

 private:
  static constexpr std::size_t kBytes = 1 << 16;

  void write_all(const char* data, std::size_t count) {
    while (count > 0) {
      const ssize_t written = ::write(descriptor_, data, count);
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) fail_system(shown_, "cannot write", errno);
      data += written;
      count -= static_cast<std::size_t>(written);
    }
  }

  int descriptor_;
  fs::path shown_;
  std::vector<char> buffer_;
};

void write_stream(int descriptor, const fs::path& shown, const std::function<void(std::ostream&)>& write) {
  DescriptorBuffer buffer(descriptor, shown);
  std::ostream stream(&buffer);
  stream.exceptions(std::ios::badbit);  // rethrows what the buffer throws, with its reason
  write(stream);
  buffer.flush();
}

// What a path means for writing: made absolute, links followed, so that the link stays and its target is replaced.
fs::path resolved(const fs::path& path) {
  std::error_code error;
  fs::path full = fs::absolute(path, error).lexically_normal();
  if (!full.has_filename()) full = full.parent_path();  // "folder/"
  if (fs::is_symlink(full, error)) {
    fs::path target = fs::weakly_canonical(full, error);
    if (!error) return target;
  }
  return full;
}

void create_folders(const fs::path& folder, const fs::path& shown) {
  std::error_code error;
  fs::create_directories(folder, error);
  if (error) fail_system(shown, "cannot create its folder", error.value());
}

constexpr const char* kTemporary = ".tmp-";

std::string temporary_prefix(const fs::path& path) {
  return fmt::format(".{}{}", path.filename().string(), kTemporary);
}

fs::path old_sibling(const fs::path& path) { return path.parent_path() / ("." + path.filename().string() + ".old"); }

// The temporary of a process that was killed is known by its lock: the living hold one.
void remove_abandoned(const fs::path& path) {
  const std::string prefix = temporary_prefix(path);
  std::error_code error;
  std::vector<fs::path> candidates;
  for (fs::directory_iterator entry(path.parent_path(), error), end; !error && entry != end; entry.increment(error)) {
    if (entry->path().filename().string().starts_with(prefix)) candidates.push_back(entry->path());
  }
  for (const fs::path& candidate : candidates) {
    const Descriptor file(::open(candidate.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
    if (file.open() && ::flock(file.number(), LOCK_EX | LOCK_NB) == 0) fs::remove_all(candidate, error);
  }
}

// A sibling that is removed at the end of the scope unless it was renamed.
class Temporary {
 public:
  explicit Temporary(const fs::path& path) {
    static std::atomic<unsigned> counter{0};
    path_ = path.parent_path() / fmt::format("{}{}-{}", temporary_prefix(path), ::getpid(), counter++);
  }
  Temporary(const Temporary&) = delete;
  Temporary& operator=(const Temporary&) = delete;
  ~Temporary() {
    std::error_code ignored;
    if (!kept_) fs::remove_all(path_, ignored);
  }
  const fs::path& path() const { return path_; }
  void take_name(const fs::path& name, const fs::path& shown) {
    if (::rename(path_.c_str(), name.c_str()) != 0) fail_system(shown, "cannot replace", errno);
    kept_ = true;
  }

 private:
  fs::path path_;
  bool kept_ = false;
};

// After a rename, so that it is the new name that survives a power cut. File systems that cannot flush a folder
// (EINVAL) order renames themselves.
void flush_folder(const fs::path& folder, const fs::path& shown) {
  const Descriptor descriptor(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!descriptor.open()) fail_system(shown, "cannot open its folder", errno);
  if (::fsync(descriptor.number()) != 0 && errno != EINVAL) fail_system(shown, "cannot flush its folder", errno);
}

void flush_tree(const fs::path& folder, const fs::path& shown) {
  std::error_code error;
  fs::recursive_directory_iterator entry(folder, error);
  for (const fs::recursive_directory_iterator end; !error && entry != end; entry.increment(error)) {
    if (entry->is_symlink()) continue;
    const Descriptor descriptor(::open(entry->path().c_str(), O_RDONLY | O_CLOEXEC));
    if (!descriptor.open() || (::fsync(descriptor.number()) != 0 && errno != EINVAL)) {
      fail_system(shown / entry->path().lexically_relative(folder), "cannot flush", errno);
    }
  }
  if (error) fail_system(shown, "cannot read", error.value());
  flush_folder(folder, shown);
}

// An error names the folder that was asked for: the temporary one is gone when it is read.
void fill_naming(const fs::path& temporary, const fs::path& shown, const std::function<void(const fs::path&)>& fill) {
  try {
    fill(temporary);
  } catch (const Error& error) {
    std::string message = error.what();
    const std::size_t place = message.find(temporary.string());
    if (place == std::string::npos || typeid(error) != typeid(Error)) throw;
    throw Error(message.replace(place, temporary.string().size(), shown.string()));
  }
}

}  // namespace

MappedFile::MappedFile(const fs::path& path) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!file.open()) fail_system(path, "cannot open", errno);
  struct stat status {};
  if (::fstat(file.number(), &status) != 0) fail_system(path, "cannot examine", errno);
  if (!S_ISREG(status.st_mode)) {
    fail("{}: expected a file, found a {}", path.string(), S_ISDIR(status.st_mode) ? "folder" : "device or pipe");
  }
  if (status.st_size == 0) return;
  const auto size = static_cast<std::size_t>(status.st_size);
  void* address = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file.number(), 0);
  if (address == MAP_FAILED) fail_system(path, "cannot map", errno);
  bytes_ = {static_cast<const std::byte*>(address), size};
}

MappedFile::~MappedFile() {
  if (!bytes_.empty()) ::munmap(const_cast<std::byte*>(bytes_.data()), bytes_.size());
}

std::string read_text_file(const fs::path& path) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file.open()) fail_system(path, "cannot open", errno);
  std::string content;
  std::vector<char> buffer(1 << 16);
  for (;;) {
    const ssize_t count = ::read(file.number(), buffer.data(), buffer.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) fail_system(path, "cannot read", errno);
    if (count == 0) return content;
    content.append(buffer.data(), static_cast<std::size_t>(count));
  }
}

void write_file(const fs::path& path, std::string_view content) {
  write_file(path,
             [&](std::ostream& stream) { stream.write(content.data(), static_cast<std::streamsize>(content.size())); });
}

void write_file(const fs::path& path, const std::function<void(std::ostream&)>& write) {
  if (path.empty()) fail("cannot write a file without a name");
  const fs::path target = resolved(path);
  struct stat status {};
  const bool exists = ::stat(target.c_str(), &status) == 0;
  if (exists && S_ISDIR(status.st_mode)) fail("{}: cannot write: a folder has this name", path.string());
  if (exists && !S_ISREG(status.st_mode)) {
    Descriptor file(::open(target.c_str(), O_WRONLY | O_CLOEXEC));
    if (!file.open()) fail_system(path, "cannot write", errno);
    write_stream(file.number(), path, write);
    if (file.close() != 0) fail_system(path, "cannot write", errno);
    return;
  }
  create_folders(target.parent_path(), path);
  remove_abandoned(target);
  Temporary temporary(target);
  Descriptor file(::open(temporary.path().c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666));
  if (!file.open()) fail_system(path, "cannot create", errno);
  ::flock(file.number(), LOCK_EX | LOCK_NB);
  if (exists) ::fchmod(file.number(), status.st_mode & 07777);
  write_stream(file.number(), path, write);
  if (::fsync(file.number()) != 0 && errno != EINVAL) fail_system(path, "cannot write", errno);
  if (file.close() != 0) fail_system(path, "cannot write", errno);
  temporary.take_name(target, path);
  flush_folder(target.parent_path(), path);
}

void write_folder(const fs::path& path, const std::function<void(const fs::path&)>& fill) {
  if (path.empty()) fail("cannot write a folder without a name");
  const fs::path target = resolved(path);
  create_folders(target.parent_path(), path);
  recover_folder(target);
  remove_abandoned(target);
  std::error_code error;
  const bool exists = fs::exists(fs::symlink_status(target, error));
  if (exists && !fs::is_directory(target, error)) {
    fail("{}: cannot write: something that is no folder has this name", path.string());
  }
  Temporary temporary(target);
  if (::mkdir(temporary.path().c_str(), 0777) != 0) fail_system(path, "cannot create", errno);
  const Descriptor lock(::open(temporary.path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (lock.open()) ::flock(lock.number(), LOCK_EX | LOCK_NB);
  fill_naming(temporary.path(), path, fill);
  flush_tree(temporary.path(), path);
  const fs::path old = old_sibling(target);
  if (exists && ::rename(target.c_str(), old.c_str()) != 0) fail_system(path, "cannot replace", errno);
  try {
    temporary.take_name(target, path);
  } catch (...) {
    if (exists) ::rename(old.c_str(), target.c_str());
    throw;
  }
  flush_folder(target.parent_path(), path);
  if (exists) fs::remove_all(old, error);  // a leftover is removed by the next recover_folder
}

fs::path whole_folder(const fs::path& path) {
  const fs::path old = old_sibling(resolved(path));
  std::error_code error;
  return !fs::exists(path, error) && fs::is_directory(old, error) ? old : path;
}

void recover_folder(const fs::path& path) {
  const fs::path target = resolved(path);
  const fs::path old = old_sibling(target);
  std::error_code error;
  if (!fs::is_directory(old, error)) return;
  if (fs::exists(fs::symlink_status(target, error))) {
    fs::remove_all(old, error);
  } else if (::rename(old.c_str(), target.c_str()) != 0) {
    fail_system(path, "cannot recover from its old version", errno);
  }
}

}  // namespace witan
