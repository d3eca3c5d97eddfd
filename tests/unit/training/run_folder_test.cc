// An older run is never lost by accident, and a run that did not start leaves nothing.
#include "training/run_folder.h"

#include <gtest/gtest.h>

#include <optional>

#include "base/error.h"
#include "base/file.h"
#include "support/error_message.h"
#include "support/temporary_folder.h"

namespace witan {
namespace run_folder_test {

namespace fs = std::filesystem;
using Mode = RunFolder::Mode;

std::string opening(const fs::path& path, Mode mode) {
  return test::error_message([&] { const RunFolder folder(path, mode); });
}

TEST(RunFolderTest, LeavesNothingUnlessBegun) {
  const test::TemporaryFolder root;
  { const RunFolder folder(root / "a/b", Mode::kNew); }
  EXPECT_FALSE(fs::exists(root / "a"));
  {
    RunFolder folder(root / "a/b", Mode::kNew);
    folder.begin([] {});
  }
  EXPECT_TRUE(fs::is_directory(root / "a/b"));
  EXPECT_TRUE(fs::is_empty(root / "a/b"));
}

TEST(RunFolderTest, LeavesOthersThatCameToStandBesideIt) {
  const test::TemporaryFolder root;
  {
    const RunFolder given_up(root / "runs/a", Mode::kNew);
    RunFolder other(root / "runs/b", Mode::kNew);
    other.begin([] {});
    write_file(other.settings(), "{}");
  }
  EXPECT_FALSE(fs::exists(root / "runs/a"));
  EXPECT_TRUE(fs::exists(root / "runs/b/settings.json"));
}

TEST(RunFolderTest, IsWrittenByOneAtATime) {
  const test::TemporaryFolder root;
  std::optional<RunFolder> first(std::in_place, root / "run", Mode::kNew);
  const std::string message = opening(root / "run", Mode::kNew);
  EXPECT_NE(message.find("another"), std::string::npos) << message;
  first.reset();
  EXPECT_EQ(opening(root / "run", Mode::kNew), "no error");
}

TEST(RunFolderTest, RemovesOnlyItsOwnCacheFromAFolderThatWasThere) {
  const test::TemporaryFolder root;
  fs::create_directories(root / "run");
  {
    const RunFolder folder(root / "run", Mode::kNew);
    write_file(folder.cache() / "tokens", "x");
  }
  EXPECT_TRUE(fs::exists(root / "run"));
  EXPECT_TRUE(fs::is_empty(root / "run"));
}

TEST(RunFolderTest, RefusesAnOlderRunUnlessTold) {
  const test::TemporaryFolder root;
  write_file(root / "run/settings.json", "{}");
  write_file(root / "run/checkpoint/state.json", "{}");
  const std::string message = opening(root / "run", Mode::kNew);
  EXPECT_NE(message.find("holds a run already"), std::string::npos) << message;
  EXPECT_NE(message.find("--resume"), std::string::npos) << message;
  EXPECT_TRUE(fs::exists(root / "run/settings.json"));
  {
    RunFolder folder(root / "run", Mode::kOverwrite);
    EXPECT_TRUE(fs::exists(root / "run/settings.json")) << "removed before training began";
    folder.begin([] {});
  }
  EXPECT_FALSE(fs::exists(root / "run/settings.json"));
}

TEST(RunFolderTest, ResumesFromWhatACrashLeft) {
  const test::TemporaryFolder root;
  write_file(root / "run/.checkpoint.old/state.json", "{}");
  EXPECT_NE(opening(root / "run", Mode::kNew).find("holds a run already"), std::string::npos);
  const RunFolder folder(root / "run", Mode::kResume);
  EXPECT_TRUE(fs::exists(folder.checkpoint() / "state.json"));
}

TEST(RunFolderTest, OverwritingRemovesWhatACrashLeft) {
  const test::TemporaryFolder root;
  write_file(root / "run/.checkpoint.old/state.json", "{}");
  write_file(root / "run/.model.old/config.json", "{}");
  RunFolder folder(root / "run", Mode::kOverwrite);
  folder.begin([] {});
  EXPECT_TRUE(fs::is_empty(root / "run"));
}

TEST(RunFolderTest, ARunWhoseFirstCheckpointFailsLeavesNothing) {
  const test::TemporaryFolder root;
  const auto full = [] { fail("checkpoint: cannot write: No space left on device"); };
  EXPECT_THROW(RunFolder(root / "new", Mode::kNew).begin(full), Error);
  EXPECT_FALSE(fs::exists(root / "new"));

  write_file(root / "old/checkpoint/state.json", "{}");
  write_file(root / "old/report.html", "<p>");
  EXPECT_THROW(RunFolder(root / "old", Mode::kOverwrite).begin(full), Error);
  EXPECT_TRUE(fs::exists(root / "old/checkpoint/state.json"));
  EXPECT_TRUE(fs::exists(root / "old/report.html"));
  RunFolder replaced(root / "old", Mode::kOverwrite);
  replaced.begin([&] { write_file(replaced.checkpoint() / "state.json", "{\"steps\": 0}"); });
  EXPECT_EQ(read_text_file(root / "old/checkpoint/state.json"), "{\"steps\": 0}");
  EXPECT_FALSE(fs::exists(root / "old/report.html"));
}

TEST(RunFolderTest, WithoutACheckpointThereIsNothingToGoOnFrom) {
  const test::TemporaryFolder root;
  write_file(root / "run/settings.json", "{}");
  EXPECT_NE(opening(root / "run", Mode::kNew).find("without its checkpoint; replace it with --overwrite"),
            std::string::npos);
  EXPECT_EQ(opening(root / "run", Mode::kOverwrite), "no error");
}

TEST(RunFolderTest, TokensAloneAreNoRunAndNotForeign) {
  const test::TemporaryFolder root;
  write_file(root / "run/cache/tokens-1.bin", "x");
  write_file(root / "run/.witan-probe-1", "probe");
  for (const Mode mode : {Mode::kNew, Mode::kOverwrite}) EXPECT_EQ(opening(root / "run", mode), "no error");
  EXPECT_TRUE(fs::exists(root / "run/cache/tokens-1.bin"));
}

TEST(RunFolderTest, ACacheOfSomebodyElseIsLeftAlone) {
  const test::TemporaryFolder root;
  write_file(root / "project/cache/letters.txt", "dear");
  for (const Mode mode : {Mode::kNew, Mode::kOverwrite}) {
    EXPECT_NE(opening(root / "project", mode).find("files that are not of a run"), std::string::npos);
  }
  write_file(root / "project/settings.json", "{}");
  write_file(root / "shared/tokens-1.bin", "x");
  fs::create_directories(root / "linked");
  write_file(root / "linked/settings.json", "{}");
  fs::create_directory_symlink(root / "shared", root / "linked/cache");
  for (const char* name : {"project", "linked"}) {
    RunFolder folder(root / name, Mode::kOverwrite);
    folder.begin([] {}, folder.cache() / "tokens-2.bin");
  }
  EXPECT_TRUE(fs::exists(root / "project/cache/letters.txt"));
  EXPECT_TRUE(fs::exists(root / "shared/tokens-1.bin"));
}

TEST(RunFolderTest, AModelAloneIsNoRun) {
  const test::TemporaryFolder root;
  write_file(root / "run/model/config.json", "{}");
  for (const Mode mode : {Mode::kNew, Mode::kOverwrite}) {
    EXPECT_NE(opening(root / "run", mode).find("files that are not of a run"), std::string::npos);
  }
  write_file(root / "run/report.html", "<p>");
  EXPECT_NE(opening(root / "run", Mode::kOverwrite).find("files that are not of a run"), std::string::npos);
}

TEST(RunFolderTest, TokensOfAnOlderRunGoWithIt) {
  const test::TemporaryFolder root;
  write_file(root / "run/checkpoint/state.json", "{}");
  write_file(root / "run/cache/tokens-1.bin", "x");
  {
    const RunFolder given_up(root / "run", Mode::kOverwrite);
    write_file(given_up.cache() / "tokens-2.bin", "y");
  }
  EXPECT_TRUE(fs::exists(root / "run/cache/tokens-1.bin"));
  EXPECT_FALSE(fs::exists(root / "run/cache/tokens-2.bin"));
  RunFolder folder(root / "run", Mode::kOverwrite);
  write_file(folder.cache() / "tokens-2.bin", "y");
  folder.begin([] {}, folder.cache() / "tokens-2.bin");
  EXPECT_FALSE(fs::exists(root / "run/cache/tokens-1.bin"));
  EXPECT_TRUE(fs::exists(root / "run/cache/tokens-2.bin"));
}

TEST(RunFolderTest, ALinkThatLeadsNowhereIsNamed) {
  const test::TemporaryFolder root;
  fs::create_symlink(root / "gone", root / "link");
  EXPECT_NE(opening(root / "link", Mode::kNew).find("a link that leads nowhere"), std::string::npos);
}

TEST(RunFolderTest, OverwritingKeepsForeignFiles) {
  const test::TemporaryFolder root;
  write_file(root / "run/metrics.jsonl", "{}");
  write_file(root / "run/notes.txt", "mine");
  {
    RunFolder folder(root / "run", Mode::kOverwrite);
    folder.begin([] {});
  }
  EXPECT_FALSE(fs::exists(root / "run/metrics.jsonl"));
  EXPECT_EQ(read_text_file(root / "run/notes.txt"), "mine");
}

TEST(RunFolderTest, RefusesAFolderOfOtherFilesInEveryMode) {
  const test::TemporaryFolder root;
  write_file(root / "home/letter.txt", "dear");
  for (const Mode mode : {Mode::kNew, Mode::kOverwrite}) {
    EXPECT_NE(opening(root / "home", mode).find("files that are not of a run"), std::string::npos);
  }
  EXPECT_NE(opening(root / "home", Mode::kResume).find("no run to resume"), std::string::npos);
  EXPECT_NE(opening(root / "home/letter.txt", Mode::kNew).find("not a folder"), std::string::npos);
}

TEST(RunFolderTest, SaysWhenItCannotBeWritten) {
  // A file where a folder would have to be: fails for root too, unlike permissions.
  const test::TemporaryFolder root;
  write_file(root / "file", "x");
  EXPECT_NE(opening(root / "file/run", Mode::kNew), "no error");
  EXPECT_NE(opening("/proc/witan-run", Mode::kNew), "no error");
  EXPECT_NE(opening("", Mode::kNew).find("without a name"), std::string::npos);
}

TEST(RunFolderTest, ATrailingSlashIsTheSameFolder) {
  const test::TemporaryFolder root;
  RunFolder folder((root / "run").string() + "/", Mode::kNew);
  EXPECT_EQ(folder.metrics(), root / "run/metrics.jsonl");
}

}  // namespace run_folder_test
}  // namespace witan
