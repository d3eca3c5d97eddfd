// Text files: plain, gzip and JSON lines, and everything that is not text, each with its message.
#include "training/text_files.h"

#include <gtest/gtest.h>

#include "base/random.h"
#include "support/error_message.h"
#include "support/mutate.h"
#include "support/temporary_folder.h"
#include "support/text_folder.h"

namespace witan {
namespace text_files_test {

using test::error_message;
using test::gzipped;
using Documents = std::vector<std::string>;

class TextFilesTest : public ::testing::Test {
 protected:
  Documents read(const std::string& name, const std::string& content, bool lossy = false) {
    write_file(folder_ / name, content);
    return read_documents(folder_ / name, lossy);
  }
  // The message without the folder.
  std::string refusal(const std::string& name, const std::string& content, bool lossy = false) {
    const std::string message = error_message([&] { read(name, content, lossy); });
    const std::string prefix = folder_.path().string() + "/";
    return message.starts_with(prefix) ? message.substr(prefix.size()) : message;
  }

  test::TemporaryFolder folder_;
};

TEST_F(TextFilesTest, APlainFileIsOneDocument) {
  EXPECT_EQ(read("a.txt", "one\r\ntwo\n"), Documents{"one\r\ntwo\n"});
  EXPECT_EQ(read("a.odd", "any extension\n"), Documents{"any extension\n"});
  EXPECT_EQ(read("a.txt", ""), Documents{});
  EXPECT_EQ(read("a.txt", "\xEF\xBB\xBFmarked"), Documents{"marked"});
}

TEST_F(TextFilesTest, EachLineOfJsonlIsADocument) {
  EXPECT_EQ(read("a.jsonl", "{\"text\": \"one\\ntwo\", \"id\": 3}\n\n{\"text\": \"\"}\r\n{\"text\": \"\\u00e4\"}"),
            (Documents{"one\ntwo", "ä"}));
  EXPECT_EQ(refusal("a.jsonl", "{\"text\": \"x\"}\n{\"content\": \"y\"}\n"),
            "a.jsonl: line 2: expected an object with a string \"text\"");
  EXPECT_EQ(refusal("a.jsonl", "{\"text\": 3}"), "a.jsonl: line 1: expected an object with a string \"text\"");
  EXPECT_TRUE(refusal("a.jsonl", "\n{\"text\": \n").starts_with("a.jsonl: line 2: invalid JSON at byte 10"));
}

TEST_F(TextFilesTest, ANulInJsonIsNoText) {
  EXPECT_EQ(refusal("a.jsonl", "{\"text\": \"a\\u0000b\"}"),
            "a.jsonl: line 1: binary (a NUL character), expected text");
}

TEST_F(TextFilesTest, HalvesOfSurrogatePairsAreReplacedWhenAsked) {
  EXPECT_EQ(read("a.jsonl", R"({"text": "\ud83d\uDE00 \\ud83d"})"), Documents{"\U0001F600 \\ud83d"});
  const std::string broken = R"({"text": "a\ud83d b\uDE00\ud83d\ud83d\ude00"})";
  EXPECT_EQ(refusal("a.jsonl", broken), "a.jsonl: line 1: half a surrogate pair; --lossy replaces it");
  EXPECT_EQ(read("a.jsonl", broken, true), Documents{"a\uFFFD b\uFFFD\uFFFD\U0001F600"});
}

TEST_F(TextFilesTest, ReadsGzip) {
  const std::string text = test::numbered_lines("gzip", 50000);
  EXPECT_EQ(read("a.txt.gz", gzipped(text)), Documents{text});
  EXPECT_EQ(read("a.gz", gzipped("first ") + gzipped("second")), Documents{"first second"});
  EXPECT_EQ(read("a.jsonl.gz", gzipped("{\"text\": \"x\"}\n")), Documents{"x"});
  EXPECT_EQ(read("a.txt.gz", gzipped("")), Documents{});
  EXPECT_EQ(read("a.txt.gz", gzipped("padded") + std::string(512, '\0')), Documents{"padded"});
}

TEST_F(TextFilesTest, RefusesBrokenGzip) {
  const std::string whole = gzipped(test::numbered_lines("gzip", 1000));
  EXPECT_EQ(refusal("a.gz", whole.substr(0, 100)), "a.gz: the gzip stream is cut short after 100 bytes");
  EXPECT_EQ(refusal("a.gz", whole.substr(0, whole.size() - 1)),
            "a.gz: the gzip stream is cut short after " + std::to_string(whole.size() - 1) + " bytes");
  EXPECT_EQ(refusal("a.gz", ""), "a.gz: the gzip stream is cut short after 0 bytes");
  EXPECT_TRUE(refusal("a.gz", gzipped("x") + "more").starts_with("a.gz: broken gzip stream near byte "));
  EXPECT_TRUE(refusal("a.gz", "plain text, not compressed").starts_with("a.gz: broken gzip stream near byte "));
  std::string damaged = whole;
  damaged[damaged.size() - 6] ^= 1;
  EXPECT_TRUE(refusal("a.gz", damaged).find("incorrect data check") != std::string::npos);
}

TEST_F(TextFilesTest, RefusesAGzipBomb) {
  const std::string message = refusal("bomb.gz", gzipped(std::string(std::size_t{20} << 20, 'x')));
  EXPECT_TRUE(message.ends_with("this is no text")) << message;
}

TEST_F(TextFilesTest, RefusesWhatIsNoText) {
  EXPECT_EQ(refusal("a.txt", std::string("ab\0cd", 5)), "a.txt: binary (a NUL byte at 2), expected text");
  EXPECT_EQ(refusal("a.txt", std::string("ab\0cd", 5), true), "a.txt: binary (a NUL byte at 2), expected text");
  EXPECT_EQ(refusal("a.txt", "good \xC3\xA4 bad \xC3("),
            "a.txt: invalid UTF-8 at byte 12; --lossy replaces such bytes");
  EXPECT_EQ(read("a.txt", "good \xC3\xA4 bad \xC3(", true), Documents{"good ä bad \uFFFD("});
  EXPECT_TRUE(
      refusal("a.txt", std::string("\xFF\xFEh\0i\0", 6)).starts_with("a.txt: looks like UTF-16, expected UTF-8"));
  EXPECT_EQ(refusal("a.txt.gz", gzipped("bad \xFF")), "a.txt.gz: invalid UTF-8 at byte 4; --lossy replaces such bytes");
}

TEST_F(TextFilesTest, KnowsFilesByTheirNames) {
  for (const char* name : {"a.txt", "a.TXT", "a.jsonl", "a.txt.gz", "b.py", "b.hpp", "c.jsonl.gz"}) {
    EXPECT_TRUE(is_known_text_file(name)) << name;
  }
  for (const char* name : {"a.png", "a", "a.gz", "a.txt.bz2", "Makefile", "a.json"})
    EXPECT_FALSE(is_known_text_file(name)) << name;
  EXPECT_EQ(name_without_extensions("x/en.txt.gz"), "en");
  EXPECT_EQ(name_without_extensions("x/en.txt"), "en");
  EXPECT_EQ(name_without_extensions("x/README"), "README");
}

TEST_F(TextFilesTest, DamageIsAnErrorOrHarmless) {
  const std::string gz = gzipped(test::numbered_lines("x", 30));
  const std::string jsonl = "{\"text\": \"one\"}\n{\"text\": \"two \\u00e4\"}\n";
  Random random(1);
  int refused = 0;
  for (int i = 0; i < 1500; ++i) {
    try {
      parse_documents(test::mutated(gz, random), "a.txt.gz", false);
    } catch (const Error&) {
      ++refused;
    }
    try {
      parse_documents(test::mutated(jsonl, random), "a.jsonl", false);
    } catch (const Error&) {
      ++refused;
    }
  }
  EXPECT_GT(refused, 1500);
}

}  // namespace text_files_test
}  // namespace witan
