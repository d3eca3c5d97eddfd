// Files: whole or not at all, also when the disk is full, the folder is read-only, or a crash came in between.
#include "base/file.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <fstream>
#include <ostream>
#include <vector>

#include "base/error.h"
#include "support/error_message.h"
#include "support/temporary_folder.h"

namespace witan {
namespace file_test {

namespace fs = std::filesystem;
using test::error_message;
using test::TemporaryFolder;

std::vector<std::string> names_in(const fs::path& folder) {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder)) names.push_back(entry.path().filename().string());
  std::sort(names.begin(), names.end());
  return names;
}

// Files may not grow beyond `bytes` while this lives: what a full disk looks like to write().
class SmallDisk {
 public:
  explicit SmallDisk(rlim_t bytes) : handler_(std::signal(SIGXFSZ, SIG_IGN)) {
    ::getrlimit(RLIMIT_FSIZE, &before_);
    rlimit small = before_;
    small.rlim_cur = bytes;
    ::setrlimit(RLIMIT_FSIZE, &small);
  }
  SmallDisk(const SmallDisk&) = delete;
  SmallDisk& operator=(const SmallDisk&) = delete;
  ~SmallDisk() {
    ::setrlimit(RLIMIT_FSIZE, &before_);
    std::signal(SIGXFSZ, handler_);
  }

 private:
  rlimit before_{};
  void (*handler_)(int);
};

// Root may write anywhere, so the tests of permissions run as somebody else.
class Nobody {
 public:
  Nobody() : root_(::geteuid() == 0) {
    if (root_) changed_ = ::seteuid(65534) == 0;
  }
  Nobody(const Nobody&) = delete;
  Nobody& operator=(const Nobody&) = delete;
  ~Nobody() {
    if (root_ && ::seteuid(0) != 0) std::abort();
  }
  bool powerless() const { return !root_ || changed_; }

 private:
  bool root_;
  bool changed_ = false;
};

TEST(FileTest, WritesAndReadsBack) {
  const TemporaryFolder folder;
  const fs::path path = folder / "a/b/c.txt";
  write_file(path, std::string_view("one\0two", 7));
  EXPECT_EQ(read_text_file(path), std::string("one\0two", 7));
  EXPECT_EQ(MappedFile(path).text(), std::string_view("one\0two", 7));
  write_file(path, "");
  EXPECT_EQ(read_text_file(path), "");
  EXPECT_TRUE(MappedFile(path).bytes().empty());
  EXPECT_EQ(names_in(path.parent_path()), std::vector<std::string>{"c.txt"});
}

TEST(FileTest, StreamsMoreThanOneBuffer) {
  const TemporaryFolder folder;
  std::string expected;
  write_file(folder / "x", [&](std::ostream& stream) {
    for (int i = 0; i < 50000; ++i) {
      stream << i << '\n';
      expected += std::to_string(i) + "\n";
    }
    const std::string large(200000, 'y');
    stream << large;
    expected += large;
  });
  EXPECT_EQ(read_text_file(folder / "x"), expected);
}

TEST(FileTest, ReplacingKeepsTheMode) {
  const TemporaryFolder folder;
  write_file(folder / "x", "1");
  ::chmod((folder / "x").c_str(), 0600);
  write_file(folder / "x", "2");
  struct stat status {};
  ASSERT_EQ(::stat((folder / "x").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777, 0600U);
}

TEST(FileTest, WritesThroughALink) {
  const TemporaryFolder folder;
  write_file(folder / "real/x", "1");
  fs::create_symlink(folder / "real/x", folder / "link");
  write_file(folder / "link", "2");
  EXPECT_TRUE(fs::is_symlink(folder / "link"));
  EXPECT_EQ(read_text_file(folder / "real/x"), "2");
}

TEST(FileTest, AMappedFileOutlivesItsReplacement) {
  const TemporaryFolder folder;
  write_file(folder / "x", "before");
  const MappedFile mapped(folder / "x");
  write_file(folder / "x", "after!");
  EXPECT_EQ(mapped.text(), "before");
}

TEST(FileTest, SaysWhyItCannotRead) {
  const TemporaryFolder folder;
  const std::string path = folder.path().string();
  EXPECT_EQ(error_message([&] { read_text_file(folder / "no"); }),
            path + "/no: cannot open: No such file or directory");
  EXPECT_EQ(error_message([&] { MappedFile(folder / "no"); }), path + "/no: cannot open: No such file or directory");
  EXPECT_EQ(error_message([&] { MappedFile(folder.path()); }), path + ": expected a file, found a folder");
  EXPECT_EQ(error_message([&] { read_text_file(folder.path()); }), path + ": cannot read: Is a directory");
}

TEST(FileTest, AFullDiskLeavesTheOldContentAndNoTemporary) {
  const TemporaryFolder folder;
  write_file(folder / "x", "old");
  std::string message;
  {
    const SmallDisk disk(100000);
    message = error_message([&] { write_file(folder / "x", std::string(300000, 'n')); });
  }
  EXPECT_EQ(message, folder.path().string() + "/x: cannot write: File too large");
  EXPECT_EQ(read_text_file(folder / "x"), "old");
  EXPECT_EQ(names_in(folder.path()), std::vector<std::string>{"x"});
}

TEST(FileTest, AFullDeviceStopsTheStreamAtOnce) {
  if (!fs::exists("/dev/full")) GTEST_SKIP() << "no /dev/full here";
  int rounds = 0;
  const std::string message = error_message([&] {
    write_file("/dev/full", [&](std::ostream& stream) {
      for (; rounds < 1000000; ++rounds) stream << "0123456789";
    });
  });
  EXPECT_EQ(message, "/dev/full: cannot write: No space left on device");
  EXPECT_LT(rounds, 10000);
  EXPECT_TRUE(fs::is_character_file("/dev/full"));
}

TEST(FileTest, AReadOnlyFolderGivesOneError) {
  const TemporaryFolder folder;
  write_file(folder / "in/x", "old");
  ::chmod(folder.path().c_str(), 0755);
  ::chmod((folder / "in").c_str(), 0555);
  std::string file_message;
  std::string folder_message;
  {
    const Nobody nobody;
    if (!nobody.powerless()) GTEST_SKIP() << "cannot give up the rights of root";
    file_message = error_message([&] { write_file(folder / "in/x", "new"); });
    folder_message = error_message([&] { write_folder(folder / "in/run/model", [](const fs::path&) {}); });
  }
  ::chmod((folder / "in").c_str(), 0755);
  const std::string path = folder.path().string();
  EXPECT_EQ(file_message, path + "/in/x: cannot create: Permission denied");
  EXPECT_EQ(folder_message, path + "/in/run/model: cannot create its folder: Permission denied");
  EXPECT_EQ(read_text_file(folder / "in/x"), "old");
  EXPECT_EQ(names_in(folder / "in"), std::vector<std::string>{"x"});
}

TEST(FileTest, AFileInTheWayOfAFolderIsAnError) {
  const TemporaryFolder folder;
  write_file(folder / "x", "file");
  const std::string path = folder.path().string();
  EXPECT_EQ(error_message([&] { write_file(folder / "x/y", "1"); }),
            path + "/x/y: cannot create its folder: Not a directory");
  EXPECT_EQ(error_message([&] { write_file(folder.path(), "1"); }), path + ": cannot write: a folder has this name");
  EXPECT_EQ(error_message([&] { write_folder(folder / "x", [](const fs::path&) {}); }),
            path + "/x: cannot write: something that is no folder has this name");
  EXPECT_EQ(read_text_file(folder / "x"), "file");
}

TEST(FileTest, AnExceptionOfTheWriterLeavesNothing) {
  const TemporaryFolder folder;
  EXPECT_EQ(error_message([&] {
              write_file(folder / "x", [](std::ostream& stream) {
                stream << "half";
                fail("interrupted");
              });
            }),
            "interrupted");
  EXPECT_TRUE(names_in(folder.path()).empty());
}

TEST(FileTest, RemovesTheTemporaryOfAKilledWriter) {
  const TemporaryFolder folder;
  std::ofstream(folder / ".x.tmp-1-0") << "half";
  std::ofstream(folder / ".other.tmp-1-0") << "not ours";
  write_file(folder / "x", "whole");
  EXPECT_EQ(names_in(folder.path()), (std::vector<std::string>{".other.tmp-1-0", "x"}));
}

TEST(FolderTest, ReplacesAWholeFolder) {
  const TemporaryFolder folder;
  write_folder(folder / "run/model", [](const fs::path& path) {
    write_file(path / "old.txt", "1");
    write_file(path / "sub/deep.txt", "1");
  });
  EXPECT_EQ(read_text_file(folder / "run/model/sub/deep.txt"), "1");
  write_folder(folder / "run/model/", [](const fs::path& path) { write_file(path / "new.txt", "2"); });
  EXPECT_EQ(names_in(folder / "run"), std::vector<std::string>{"model"});
  EXPECT_EQ(names_in(folder / "run/model"), std::vector<std::string>{"new.txt"});
}

TEST(FolderTest, AFailureLeavesTheOldFolder) {
  const TemporaryFolder folder;
  write_folder(folder / "model", [](const fs::path& path) { write_file(path / "x", "old"); });
  EXPECT_EQ(error_message([&] {
              write_folder(folder / "model", [](const fs::path& path) {
                write_file(path / "x", "new");
                fail("broken");
              });
            }),
            "broken");
  EXPECT_EQ(names_in(folder.path()), std::vector<std::string>{"model"});
  EXPECT_EQ(read_text_file(folder / "model/x"), "old");
}

TEST(FolderTest, AnErrorNamesTheFolderThatWasAskedFor) {
  const test::TemporaryFolder root;
  const std::string message = test::error_message([&] {
    write_folder(root / "model", [](const std::filesystem::path& temporary) {
      std::filesystem::create_directory(temporary / "weights");
      write_file(temporary / "weights", "a folder is there");
    });
  });
  EXPECT_EQ(message, (root / "model/weights").string() + ": cannot write: a folder has this name");
}

TEST(FolderTest, RecoversFromACrashBetweenTheRenames) {
  const TemporaryFolder folder;
  write_file(folder / ".model.old/x", "old");  // renamed aside, the new one did not take the name
  recover_folder(folder / "model");
  EXPECT_EQ(names_in(folder.path()), std::vector<std::string>{"model"});
  EXPECT_EQ(read_text_file(folder / "model/x"), "old");
}

TEST(FolderTest, AReaderFindsTheWholeFolderAndChangesNothing) {
  const TemporaryFolder folder;
  EXPECT_EQ(whole_folder(folder / "model"), folder / "model") << "neither is there: the error names what was asked for";
  write_file(folder / ".model.old/x", "old");
  EXPECT_EQ(read_text_file(whole_folder(folder / "model") / "x"), "old");
  EXPECT_EQ(names_in(folder.path()), std::vector<std::string>{".model.old"});
  write_file(folder / "model/x", "new");
  EXPECT_EQ(read_text_file(whole_folder(folder / "model") / "x"), "new");
  EXPECT_EQ(names_in(folder.path()), (std::vector<std::string>{".model.old", "model"}));
}

TEST(FolderTest, RecoversFromACrashBeforeTheOldWasRemoved) {
  const TemporaryFolder folder;
  write_file(folder / ".model.old/x", "old");
  write_file(folder / "model/x", "new");
  write_file(folder / ".model.tmp-1-0/x", "half");
  recover_folder(folder / "model");
  EXPECT_EQ(read_text_file(folder / "model/x"), "new");
  EXPECT_FALSE(fs::exists(folder / ".model.old"));
  write_folder(folder / "model", [](const fs::path& path) { write_file(path / "x", "newer"); });
  EXPECT_EQ(names_in(folder.path()), std::vector<std::string>{"model"});
  EXPECT_EQ(read_text_file(folder / "model/x"), "newer");
}

}  // namespace file_test
}  // namespace witan
