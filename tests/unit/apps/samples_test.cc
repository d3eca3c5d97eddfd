// Prompts are cut between characters, and between words where that costs little.
#include "witan/samples.h"

#include <gtest/gtest.h>

namespace witan::cli {
namespace samples_test {

TEST(PromptTest, CutsAtTheLastSpaceOfTheSecondHalf) {
  EXPECT_EQ(prompt_of("The quick brown fox jumps", 18), "The quick brown");
  EXPECT_EQ(prompt_of("A incomprehensibilities of the world", 20), "A incomprehensibilit") << "no space late enough";
}

TEST(PromptTest, SkipsLeadingSpace) { EXPECT_EQ(prompt_of("\n\n  abcdefgh", 4), "abcd"); }

TEST(PromptTest, NeverCutsACharacter) { EXPECT_EQ(prompt_of("日本語の文章です", 3), "日本語"); }

TEST(PromptTest, IsEmptyForTextThatIsTooShort) {
  EXPECT_EQ(prompt_of("short", 10), "");
  EXPECT_EQ(prompt_of(" \n ", 1), "");
}

}  // namespace samples_test
}  // namespace witan::cli
