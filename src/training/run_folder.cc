// Checks before anything is written, and cleaning up when nothing came of it.
#include "training/run_folder.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string>
#include <string_view>
#include <system_error>

#include "base/error.h"
#include "base/file.h"

namespace witan {
namespace {

namespace fs = std::filesystem;

// All that a run writes; nothing else is ever removed.
constexpr const char* kEntries[] = {"checkpoint",    "model",       "metrics.jsonl", "analysis.json",
                                    "settings.json", "report.html", "heldout.txt",   "cache"};

// What a crash inside write_folder leaves in place of a whole folder.
constexpr const char* kOldFolders[] = {".checkpoint.old", ".model.old"};

constexpr const char* kMarks[] = {"settings.json", "metrics.jsonl", "checkpoint", ".checkpoint.old"};

constexpr std::string_view kProbe = ".witan-probe-";

// The names that tokenize_corpus gives.
bool is_token_file(const fs::path& path) {
  const std::string name = path.filename().string();
  return name.starts_with("tokens-") && name.ends_with(".bin");
}

std::set<fs::path> token_files(const fs::path& cache) {
  std::set<fs::path> files;
  std::error_code error;
  if (fs::is_symlink(cache, error)) return files;  // other runs may have theirs there
  for (fs::directory_iterator entry(cache, error), end; !error && entry != end; entry.increment(error)) {
    if (is_token_file(entry->path())) files.insert(entry->path());
  }
  return files;
}

// Whether a folder holds tokens at the most, and what a crash left of writing them.
bool is_cache(const fs::path& folder) {
  return fs::is_directory(folder) && std::ranges::all_of(fs::directory_iterator(folder), [](const auto& entry) {
           return is_token_file(entry.path()) || entry.path().filename().string().starts_with(".tokens-");
         });
}

// The temporaries of write_file and write_folder are removed when their names are next written.
bool is_leftover(const fs::path& path) {
  const std::string name = path.filename().string();
  if (name == "cache") return is_cache(path);
  return name.starts_with(kProbe) || std::ranges::any_of(kEntries, [&](std::string_view entry) {
           return name.starts_with(fmt::format(".{}.tmp-", entry));
         });
}

struct Contents {
  bool run = false;      // as its first checkpoint marks it; a model or a report may be anybody's
  bool foreign = false;  // else: something beside what a run leaves that never began
};

Contents contents_of(const fs::path& folder) {
  Contents contents;
  if (!fs::exists(folder)) return contents;
  contents.run = std::ranges::any_of(kMarks, [&](const char* mark) { return fs::exists(folder / mark); });
  contents.foreign = !contents.run && !std::ranges::all_of(fs::directory_iterator(folder),
                                                           [](const auto& entry) { return is_leftover(entry.path()); });
  return contents;
}

void check_contents(const fs::path& path, RunFolder::Mode mode) {
  if (fs::is_symlink(path) && !fs::exists(path)) fail("{}: a link that leads nowhere", path.string());
  if (fs::exists(path) && !fs::is_directory(path)) fail("{}: exists and is not a folder", path.string());
  if (mode == RunFolder::Mode::kResume) {
    recover_folder(path / "checkpoint");
    if (!fs::exists(path / "checkpoint")) fail("{}: no run to resume: there is no checkpoint in it", path.string());
    return;
  }
  const Contents contents = contents_of(path);
  if (contents.run && mode == RunFolder::Mode::kNew) {
    if (!fs::exists(whole_folder(path / "checkpoint"))) {
      fail("{}: holds a run without its checkpoint; replace it with --overwrite, or choose another folder",
           path.string());
    }
    fail("{}: holds a run already; continue it with --resume, replace it with --overwrite, or choose another folder",
         path.string());
  }
  if (contents.foreign) {
    fail("{}: holds files that are not of a run; choose an empty or a new folder", path.string());
  }
}

// The topmost folder that has to be made for `path`, or "".
fs::path topmost_missing(const fs::path& path) {
  fs::path missing;
  for (fs::path at = path; !at.empty() && !fs::exists(at); at = at.parent_path()) {
    missing = at;
    if (at == at.parent_path()) break;
  }
  return missing;
}

}  // namespace

bool holds_results(const fs::path& folder) {
  return fs::exists(folder / "checkpoint/state.json") || fs::exists(folder / ".checkpoint.old/state.json") ||
         (fs::exists(folder / "settings.json") && fs::exists(folder / "metrics.jsonl")) ||
         fs::exists(folder / "comparison.json");
}

RunFolder::RunFolder(const fs::path& path, Mode mode) : mode_(mode) {
  if (path.empty()) fail("cannot write a folder without a name");
  path_ = fs::absolute(path).lexically_normal();
  if (path_.filename().empty()) path_ = path_.parent_path();  // a trailing slash
  try {
    lock_.take(path_);
    check_contents(path_, mode_);
    created_ = topmost_missing(path_);
    had_cache_ = fs::exists(cache());
    old_cache_ = token_files(cache());
    fs::create_directories(path_);
    if (!created_.empty()) lock_.take(path_);
  } catch (const fs::filesystem_error& error) {
    fail("{}: cannot be made or read: {}", path_.string(), error.code().message());
  }
  // Permissions do not tell (read-only disks, root): only writing does.
  const fs::path probe = path_ / (std::string(kProbe) + std::to_string(getpid()));
  try {
    write_file(probe, "probe");
    fs::remove(probe);
  } catch (const Error& error) {
    std::error_code ignored;
    fs::remove(probe, ignored);
    remove_created();
    fail("{}{}", path_.string(), std::string_view(error.what()).substr(probe.string().size()));
  }
}

RunFolder::~RunFolder() {
  if (!begun_) {
    std::error_code ignored;
    for (const fs::path& entry : token_files(cache())) {
      if (!old_cache_.contains(entry)) fs::remove_all(entry, ignored);
    }
    if (!had_cache_) fs::remove_all(cache(), ignored);
    remove_created();
  }
}

void RunFolder::Lock::take(const fs::path& folder) {
  folder_ = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder_ < 0 || ::flock(folder_, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK) return;
  fail("{}: another `witan train` is writing here", folder.string());
}

RunFolder::Lock::~Lock() {
  if (folder_ >= 0) ::close(folder_);
}

// Empty folders only: meanwhile others may have begun runs beside this one.
void RunFolder::remove_created() const {
  if (created_.empty()) return;
  std::error_code ignored;
  for (fs::path at = path_; fs::remove(at, ignored) && at != created_;) at = at.parent_path();
}

void RunFolder::begin(const std::function<void()>& save_first, const fs::path& tokens) {
  if (mode_ != Mode::kResume) save_first();
  begun_ = true;
  if (mode_ != Mode::kOverwrite) return;
  for (const std::string_view entry : kEntries) {
    if (entry != "cache" && entry != "checkpoint") fs::remove_all(path_ / entry);
  }
  for (const char* entry : kOldFolders) fs::remove_all(path_ / entry);
  for (const fs::path& entry : old_cache_) {
    if (entry.filename() != tokens.filename()) fs::remove_all(entry);
  }
}

}  // namespace witan
