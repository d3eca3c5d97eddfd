// Translated expressions, by what they find; the expected matches are Oniguruma's.
#include "text/oniguruma.h"

#include <gtest/gtest.h>

#include "support/error_message.h"
#include "text/regex.h"

namespace witan {
namespace oniguruma_test {

using test::error_message;

// All matches, joined by '|'.
std::string found(const std::string& pattern, const std::string& text) {
  const Regex regex(oniguruma_to_pcre2(pattern, "test"), "test");
  Regex::Search search(regex);
  search.start(text);
  std::string all;
  for (Regex::Match match; search.next(match);) all += text.substr(match.begin, match.end - match.begin) + "|";
  return all;
}

TEST(OnigurumaTest, ClassesAreUnicodes) {
  EXPECT_EQ(found(R"(\w+)", "añb_１ c\u0301-日"), "añb_１|c\u0301|日|");
  EXPECT_EQ(found(R"(\s+)", "a\u00a0b\u2003\u2028c\u180ed\u200be"), "\u00a0|\u2003\u2028|")
      << "no space: U+180E, U+200B";
  EXPECT_EQ(found(R"(\d)", "1٣½"), "1|٣|");
  EXPECT_EQ(found(R"(\h+)", "xFace"), "Face|");
  EXPECT_EQ(found(R"([^\S\n]+)", "a \n b"), " | |");
  EXPECT_EQ(found(R"([\S]+)", "a\u0085b c"), "a|b|c|");
  EXPECT_EQ(found(R"(\P{L}+|\p{^Han})", "a日1"), "a|1|");
  EXPECT_EQ(found(R"([[:alpha:]]+|[[:^space:]])", "ab1 "), "ab|1|");
  EXPECT_EQ(found(R"(\p{Letter}\p{Alnum})", "ab1"), "ab|");
}

TEST(OnigurumaTest, ClassesNestAndIntersect) {
  EXPECT_EQ(found(R"([a-c[x-z]]+)", "abxd"), "abx|");
  EXPECT_EQ(found(R"([^a-c[x-z]]+)", "abxd"), "d|");
  EXPECT_EQ(found(R"([\p{L}&&[^\p{Han}]]+)", "ab日c"), "ab|c|");
  EXPECT_EQ(found(R"([a[^b]]+)", "abc"), "a|c|");
  EXPECT_EQ(found(R"([\]\-^]+)", "a]-^"), "]-^|");
  EXPECT_EQ(found(R"([\w-]+)", "a-b c"), "a-b|c|");
}

TEST(OnigurumaTest, QuantifiersOptionsAndEscapes) {
  EXPECT_EQ(found("a{2}+", "aaaaa"), "aaaa|") << "repeated, not possessive";
  EXPECT_EQ(found("a{,2}b", "aaab"), "aab|");
  EXPECT_EQ(found("a{2,3}?", "aaaa"), "aa|aa|");
  EXPECT_EQ(found("a{x", "a{x"), "a{x|");
  EXPECT_EQ(found("a++b|a*+c", "aab"), "aab|");
  EXPECT_EQ(found("(?m:a.b)", "a\nb"), "a\nb|");
  EXPECT_EQ(found("(?i:'s|'ll)", "'S 'lL '\u017f"), "'S|'lL|'\u017f|");
  EXPECT_EQ(found("a(?i)b|c", "aB aC ac"), "aB|aC|ac|")
      << "the option ends with the group, the alternative with the option";
  EXPECT_EQ(found(R"(\u0061\x62\x{63})", "abc"), "abc|");
  EXPECT_EQ(found(R"(\v)", "\x0b\n"), "\x0b|");
  EXPECT_EQ(found("^a$", "b\na\nb"), "a|");
  EXPECT_EQ(found(R"(\bé\b)", "é éa"), "é|");
  EXPECT_EQ(found(R"((a)\1|(?<n>b)\k<n>)", "aabb"), "aa|bb|");
}

TEST(OnigurumaTest, EmptyMatchesMoveOn) {
  EXPECT_EQ(found("a*", "baé"), "|a||");
  EXPECT_EQ(found("", "é"), "||");
}

TEST(OnigurumaTest, EscapedTextMatchesItself) {
  const std::string text = "a.b*[c]\\{d}|^$() é\t\n-#日";
  EXPECT_EQ(found(R"(a\.b\*\[c\]\\\{d\}\|\^\$\(\) é\t\n\-\#日)", text), text + "|");
}

TEST(OnigurumaTest, RefusesWhatHasNoCounterpart) {
  for (const char* pattern :
       {"(", ")", "[a", "(?~a)", "(?W:a)", R"(\p{)", R"(\g<1>)", "a\\", "[z-a]", "(?#a", "[[:alpha"}) {
    EXPECT_TRUE(
        error_message([&] { oniguruma_to_pcre2(pattern, "here"); }).starts_with("here: the regular expression "))
        << pattern;
  }
  EXPECT_TRUE(error_message([] { Regex("(?<=a+)", "here"); }).starts_with("here: the regular expression "));
  const std::string deep(500, '[');
  EXPECT_TRUE(error_message([&] { oniguruma_to_pcre2(deep, "here"); }).find("nest too deeply") != std::string::npos);
}

TEST(OnigurumaTest, EndlessPatternsEnd) {
  const std::string message = error_message([] { found("(a|aa|aaa)*[b-d]", std::string(200, 'a')); });
  EXPECT_TRUE(message.find("cannot be applied") != std::string::npos) << message;
}

}  // namespace oniguruma_test
}  // namespace witan
