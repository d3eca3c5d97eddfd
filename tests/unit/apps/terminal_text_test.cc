// What a model writes cannot move the cursor, ring the bell or rename the window.
#include "witan/terminal_text.h"

#include <gtest/gtest.h>

namespace witan::cli {
namespace terminal_text_test {

TEST(TerminalTextTest, LeavesTextAsItIs) {
  EXPECT_EQ(visible_controls("a\n\tä 日本語 \u00A0 €"), "a\n\tä 日本語 \u00A0 €");
  EXPECT_EQ(visible_controls(""), "");
}

TEST(TerminalTextTest, ShowsControlsAsPictures) {
  EXPECT_EQ(visible_controls("\x1b]0;title\x07"), "\u241B]0;title\u2407");
  EXPECT_EQ(visible_controls("over\rwritten\x7f"), "over\u240Dwritten\u2421");
  EXPECT_EQ(visible_controls(std::string("\0", 1)), "\u2400");
}

TEST(TerminalTextTest, ReplacesTheControlsOfEightBits) {
  EXPECT_EQ(visible_controls("a\xC2\x9B"
                             "31mb"),
            "a\uFFFD31mb");
  EXPECT_EQ(visible_controls("\xC2\x80\xC2\xA0"), "\uFFFD\u00A0");
}

}  // namespace terminal_text_test
}  // namespace witan::cli
