// Colours and marks of experts.
#include "witan/expert_painter.h"

#include <gtest/gtest.h>

#include <set>

namespace witan::cli {
namespace expert_painter_test {

TEST(ExpertPainterTest, MarksWithoutColours) {
  ExpertPainter painter(ColorMode::kNone, 4);
  EXPECT_EQ(painter.paint("word", 3), "word[e3]");
  EXPECT_EQ(painter.paint("word", 3), "word[e3]");
  EXPECT_EQ(painter.paint(" x", 0), " x[e0]");
  EXPECT_EQ(painter.paint("plain", -1), "plain");
  EXPECT_EQ(painter.legend(), "e3 67 %  e0 33 %");
}

TEST(ExpertPainterTest, ColoursEndBeforeTheLineDoes) {
  ExpertPainter painter(ColorMode::kTrueColor, 2);
  const std::string word = painter.paint("a", 1);
  EXPECT_EQ(word.rfind("\x1b[30;48;2;", 0), 0U) << word;
  EXPECT_TRUE(word.ends_with("ma\x1b[0m")) << word;
  const std::string begin = word.substr(0, word.find('a'));
  EXPECT_EQ(painter.paint("a\n\nb", 1), begin + "a\x1b[0m\n\n" + begin + "b\x1b[0m");
  EXPECT_EQ(painter.paint("\n", 1), "\n");
  EXPECT_EQ(painter.paint("", 1), "");
}

TEST(ExpertPainterTest, ManyExpertsHaveManyColours) {
  for (const ColorMode mode : {ColorMode::k256, ColorMode::kTrueColor}) {
    ExpertPainter painter(mode, 64);
    std::set<std::string> first_eight;
    for (std::int32_t expert = 0; expert < 8; ++expert) first_eight.insert(painter.paint("x", expert));
    EXPECT_EQ(first_eight.size(), 8U);
  }
}

}  // namespace expert_painter_test
}  // namespace witan::cli
