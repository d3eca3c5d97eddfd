// What can be said of a file before it is written.
#include "witan/output_file.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "base/file.h"
#include "support/error_message.h"
#include "support/temporary_folder.h"

namespace witan::cli {
namespace output_file_test {

std::string message_of(const std::filesystem::path& path) {
  return test::error_message([&] { require_writable(path.string()); });
}

TEST(OutputFileTest, TakesWhatCanBeWritten) {
  const test::TemporaryFolder folder;
  write_file(folder / "old", "content");
  std::filesystem::create_symlink(folder / "old", folder / "link");
  EXPECT_NO_THROW(require_writable(""));
  for (const char* name : {"new", "old", "link", "folder/that/is/made"}) {
    EXPECT_NO_THROW(require_writable(folder / name)) << name;
  }
  EXPECT_NO_THROW(require_writable("/dev/null"));
  EXPECT_NO_THROW(require_writable("a-name-that-is-not-there.json")) << "in the folder where one stands";
  EXPECT_EQ(read_text_file(folder / "old"), "content");
  EXPECT_FALSE(std::filesystem::exists(folder / "new"));
  EXPECT_FALSE(std::filesystem::exists(folder / "folder"));
}

TEST(OutputFileTest, NamesWhatIsInTheWay) {
  const test::TemporaryFolder folder;
  write_file(folder / "file", "");
  EXPECT_NE(message_of(folder.path()).find("a folder has this name"), std::string::npos);
  EXPECT_NE(message_of(folder / "file/below/it").find("file is no folder"), std::string::npos);
}

}  // namespace output_file_test
}  // namespace witan::cli
