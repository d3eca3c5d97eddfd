// The folder of a run: what stands where, and that an older run is never lost by accident.
#pragma once

#include <filesystem>
#include <functional>
#include <set>

namespace witan {

// Whether a run stands there, or a comparison of several: what is in such a folder is results, not text to learn from.
bool holds_results(const std::filesystem::path& folder);

class RunFolder {
 public:
  enum class Mode { kNew, kOverwrite, kResume };

  // Makes the folder if need be, and makes sure that it can be written. Throws Error when it holds a run and the mode
  // is kNew, when it holds anything else, when there is no run to resume, when it cannot be written, or while another
  // RunFolder is there. What was created goes away again with this object, unless begin() was called.
  RunFolder(const std::filesystem::path& path, Mode mode);
  RunFolder(const RunFolder&) = delete;
  RunFolder& operator=(const RunFolder&) = delete;
  ~RunFolder();

  // Training starts: `save_first` writes the first checkpoint (not called in the mode kResume, which has one), and what
  // there is stays from then on. In the mode kOverwrite the rest of the older run is removed only then: a full disk
  // leaves it whole. `tokens`: the file of cache() that the new run reads.
  void begin(const std::function<void()>& save_first, const std::filesystem::path& tokens = {});

  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path model() const { return path_ / "model"; }
  std::filesystem::path checkpoint() const { return path_ / "checkpoint"; }
  std::filesystem::path metrics() const { return path_ / "metrics.jsonl"; }
  std::filesystem::path analysis() const { return path_ / "analysis.json"; }
  std::filesystem::path settings() const { return path_ / "settings.json"; }
  std::filesystem::path report() const { return path_ / "report.html"; }
  std::filesystem::path heldout() const { return path_ / "heldout.txt"; }  // the text the last evaluation read
  std::filesystem::path cache() const { return path_ / "cache"; }          // the tokens of the text

 private:
  // Two runs that write one folder would end with neither.
  class Lock {
   public:
    Lock() = default;
    Lock(const Lock&) = delete;
    Lock& operator=(const Lock&) = delete;
    ~Lock();
    // Once for a folder that is there; where there is none, or its file system knows no locks, nothing is locked.
    // Throws Error while another holds it.
    void take(const std::filesystem::path& folder);

   private:
    int folder_ = -1;
  };

  void remove_created() const;

  std::filesystem::path path_;
  std::filesystem::path created_;              // the topmost folder that did not exist before; empty: none
  std::set<std::filesystem::path> old_cache_;  // files of tokens that were in cache() before
  bool had_cache_ = false;
  Mode mode_;
  bool begun_ = false;
  Lock lock_;
};

}  // namespace witan
