// UTF-8: the borders of every range, replacement as Unicode recommends, and decoding in pieces.
#include "text/utf8.h"

#include <gtest/gtest.h>

#include "base/random.h"
#include "text/tokenizer.h"

namespace witan {
namespace utf8_test {

constexpr std::size_t kNone = std::string_view::npos;

TEST(Utf8Test, AcceptsTheBordersOfEveryRange) {
  for (const char* text : {"\x01", "\x7F", "\xC2\x80", "\xDF\xBF", "\xE0\xA0\x80", "\xED\x9F\xBF", "\xEE\x80\x80",
                           "\xEF\xBF\xBF", "\xF0\x90\x80\x80", "\xF4\x8F\xBF\xBF", "\xEF\xBB\xBF"}) {
    EXPECT_EQ(find_invalid_utf8(text), kNone) << text;
    EXPECT_EQ(utf8_length(text), std::string_view(text).size());
  }
  EXPECT_EQ(find_invalid_utf8(""), kNone);
  EXPECT_EQ(find_invalid_utf8(std::string_view("\0", 1)), kNone);
}

TEST(Utf8Test, RefusesWhatIsJustBeyondThem) {
  for (const char* text : {"\x80", "\xC0\x80", "\xC1\xBF", "\xE0\x9F\xBF", "\xED\xA0\x80", "\xF0\x8F\xBF\xBF",
                           "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "\xFF", "\xC2", "\xE2\x82", "\xF0\x9F\x98"}) {
    EXPECT_EQ(find_invalid_utf8(text), 0U) << text;
    EXPECT_EQ(find_invalid_utf8(std::string("0123456789") + text), 10U);
    EXPECT_EQ(find_invalid_utf8(std::string("ä€") + text + "more text"), 5U);
  }
}

TEST(Utf8Test, ReplacesMaximalPieces) {
  // The example of the Unicode standard, table 3-8.
  EXPECT_EQ(replace_invalid_utf8("\x61\xF1\x80\x80\xE1\x80\xC2\x62\x80\x63\x80\xBF\x64"),
            "a\uFFFD\uFFFD\uFFFDb\uFFFDc\uFFFD\uFFFDd");
  EXPECT_EQ(replace_invalid_utf8("\xE2\x82"), "\uFFFD");
  EXPECT_EQ(replace_invalid_utf8("plain ä"), "plain ä");
}

TEST(Utf8Test, KnowsWhatMayStillBecomeACharacter) {
  EXPECT_TRUE(utf8_incomplete("\xE2\x82"));
  EXPECT_TRUE(utf8_incomplete("\xF0"));
  EXPECT_FALSE(utf8_incomplete("\xE0\x80"));  // overlong whatever follows
  EXPECT_FALSE(utf8_incomplete("a"));
  EXPECT_FALSE(utf8_incomplete("\x80"));
  EXPECT_FALSE(utf8_incomplete(""));
}

TEST(StreamDecoderTest, HoldsBackUnfinishedCharacters) {
  StreamDecoder decoder;
  EXPECT_EQ(decoder.push("a\xF0\x9F"), "a");
  EXPECT_EQ(decoder.push("\x98"), "");
  EXPECT_EQ(decoder.push("\x80!"), "\U0001F600!");
  EXPECT_EQ(decoder.push("\xE2\x82"), "");
  EXPECT_EQ(decoder.push("x"), "\uFFFDx");
  EXPECT_EQ(decoder.push("\xC3"), "");
  EXPECT_EQ(decoder.finish(), "\uFFFD");
  EXPECT_EQ(decoder.finish(), "");
}

TEST(StreamDecoderTest, AnyCutGivesTheSameText) {
  Random random(11);
  for (int round = 0; round < 200; ++round) {
    std::string bytes;
    for (int i = 0; i < 40; ++i) bytes += "a\x80\xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80\xFF"[random.below(12)];
    StreamDecoder decoder;
    std::string text;
    for (std::size_t begin = 0; begin < bytes.size();) {
      const std::size_t length = static_cast<std::size_t>(random.below(5));
      text += decoder.push(bytes.substr(begin, length));
      begin += length;
    }
    text += decoder.finish();
    EXPECT_EQ(text, replace_invalid_utf8(bytes));
  }
}

}  // namespace utf8_test
}  // namespace witan
