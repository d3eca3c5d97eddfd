// Windows meet every target once; the sample of them is spread out and stable.
#include "training/evaluation.h"

#include <gtest/gtest.h>

#include <vector>

namespace witan {
namespace evaluation_test {

TEST(EvaluationWindowsTest, MeetEveryTargetOnce) {
  for (const std::int64_t tokens : {2, 8, 9, 10, 100}) {
    std::vector<int> met(static_cast<std::size_t>(tokens), 0);
    for (const Window& window : evaluation_windows(tokens, 8, 0)) {
      EXPECT_GE(window.length, 1);
      EXPECT_LE(window.length, 8);
      for (std::int64_t i = 0; i < window.length; ++i) met[static_cast<std::size_t>(window.begin + i + 1)] += 1;
    }
    EXPECT_EQ(met[0], 0);
    for (std::size_t i = 1; i < met.size(); ++i) EXPECT_EQ(met[i], 1) << "target " << i << " of " << tokens;
  }
}

TEST(EvaluationWindowsTest, ASampleIsSpreadOverTheText) {
  const std::vector<Window> windows = evaluation_windows(1001, 10, 50);
  ASSERT_EQ(windows.size(), 5U);
  for (std::size_t i = 0; i < windows.size(); ++i) {
    EXPECT_EQ(windows[i].begin, static_cast<std::int64_t>(i) * 200);
    EXPECT_EQ(windows[i].length, 10);
  }
}

TEST(EvaluationWindowsTest, ASampleIsNeverEmpty) {
  EXPECT_EQ(evaluation_windows(1001, 10, 3).size(), 1U);
  EXPECT_EQ(evaluation_windows(5, 10, 3).size(), 1U);
}

}  // namespace evaluation_test
}  // namespace witan
