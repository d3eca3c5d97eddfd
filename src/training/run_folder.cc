// Checks before anything is written, and cleaning up when nothing came of it.
#include "training/run_folder.h"

#include <unistd.h>

#include <algorithm>
#include <string>
#include <system_error>

#include "base/error.h"
#include "base/file.h"

namespace witan {
namespace {

namespace fs = std::filesystem;

// All that a run writes; nothing else is ever removed.
constexpr const char* kEntries[] = {"checkpoint",    "model",       "metrics.jsonl", "analysis.json",
                                    "settings.json", "report.html", "heldout.txt",   "cache"};

bool holds_run(const fs::path& folder) {
  return fs::exists(folder / "settings.json") || fs::exists(folder / "checkpoint") ||
         fs::exists(folder / "metrics.jsonl");
}

void check_contents(const fs::path& path, RunFolder::Mode mode) {
  if (fs::exists(path) && !fs::is_directory(path)) fail("{}: exists and is not a folder", path.string());
  const bool run = holds_run(path);
  if (mode == RunFolder::Mode::kResume) {
    if (!fs::exists(path / "checkpoint")) fail("{}: no run to resume: there is no checkpoint in it", path.string());
    return;
  }
  if (run && mode == RunFolder::Mode::kNew) {
    fail("{}: holds a run already; continue it with --resume, replace it with --overwrite, or choose another folder",
         path.string());
  }
  if (!run && fs::exists(path) && !fs::is_empty(path)) {
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

RunFolder::RunFolder(fs::path path, Mode mode) : path_(fs::absolute(std::move(path)).lexically_normal()), mode_(mode) {
  if (path_.filename().empty()) path_ = path_.parent_path();  // a trailing slash
  try {
    check_contents(path_, mode_);
    created_ = topmost_missing(path_);
    had_cache_ = fs::exists(cache());
    fs::create_directories(path_);
  } catch (const fs::filesystem_error& error) {
    fail("{}: cannot be made or read: {}", path_.string(), error.code().message());
  }
  // Permissions do not tell (read-only disks, root): only writing does.
  const fs::path probe = path_ / (".witan-probe-" + std::to_string(getpid()));
  try {
    write_file(probe, "probe");
    fs::remove(probe);
  } catch (...) {
    std::error_code ignored;
    fs::remove(probe, ignored);
    if (!created_.empty()) fs::remove_all(created_, ignored);
    throw;
  }
}

RunFolder::~RunFolder() {
  if (begun_) return;
  std::error_code ignored;
  if (!created_.empty()) {
    fs::remove_all(created_, ignored);
  } else if (!had_cache_) {
    fs::remove_all(cache(), ignored);
  }
}

void RunFolder::begin() {
  begun_ = true;
  if (mode_ != Mode::kOverwrite) return;
  for (const char* entry : kEntries) {
    if (std::string_view(entry) != "cache") fs::remove_all(path_ / entry);
  }
}

}  // namespace witan
