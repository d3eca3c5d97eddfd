// Progress lines against a clock the test turns.
#include "base/progress.h"

#include <gtest/gtest.h>

#include <sstream>

namespace witan {
namespace progress_test {

class ProgressTest : public ::testing::Test {
 protected:
  ProgressOptions options(bool terminal) {
    ProgressOptions result;
    result.out = &out_;
    result.terminal = terminal;
    result.now = [this] { return seconds_; };
    return result;
  }
  std::string taken() {
    std::string text = out_.str();
    out_.str("");
    return text;
  }

  std::ostringstream out_;
  double seconds_ = 100.0;
};

TEST_F(ProgressTest, PlainLinesNowAndThen) {
  Progress progress("tokenize", 40'000'000, options(false), "MB", 1e6);
  seconds_ += 5.0;
  progress.update(1'000'000);
  EXPECT_EQ(taken(), "");
  seconds_ += 5.0;
  progress.update(10'000'000, "en");
  EXPECT_EQ(taken(), "tokenize: 10 of 40 MB, 25 %, 1 MB/s, 30 s left, en\n");
  seconds_ += 5.0;
  progress.update(20'000'000);
  EXPECT_EQ(taken(), "");
  progress.finish();
  EXPECT_EQ(taken(), "tokenize: 20 of 40 MB, 50 %, 1.33 MB/s, 15 s\n");
  progress.finish();
  progress.update(30'000'000);
  EXPECT_EQ(taken(), "");
}

TEST_F(ProgressTest, AllIsAHundredPercent) {
  for (std::int64_t total = 1; total < 3000; ++total) {
    Progress progress("write", total, options(false), "kB", 1e3);
    progress.update(total);
    progress.finish();
    EXPECT_NE(taken().find(" 100 %"), std::string::npos) << total;
  }
}

TEST_F(ProgressTest, FewBytesAreShownInKilobytes) {
  EXPECT_STREQ(byte_unit(999'999).name, "kB");
  EXPECT_EQ(byte_unit(999'999).bytes, 1e3);
  EXPECT_STREQ(byte_unit(1'000'000).name, "MB");
  EXPECT_EQ(byte_unit(1'000'000).bytes, 1e6);
}

TEST_F(ProgressTest, OneLineOnATerminal) {
  Progress progress("train", 10, options(true), "steps");
  progress.update(0);
  EXPECT_EQ(taken(), "\r\x1b[2Ktrain: 0 of 10 steps, 0 %");
  seconds_ += 0.05;
  progress.update(1);
  EXPECT_EQ(taken(), "");
  seconds_ += 60.0;
  progress.update(5, "loss 3.2");
  EXPECT_EQ(taken(), "\r\x1b[2Ktrain: 5 of 10 steps, 50 %, 0.08 steps/s, 1 min 00 s left, loss 3.2");
  progress.message("saved");
  EXPECT_EQ(taken(), "\r\x1b[2Ksaved\n\r\x1b[2Ktrain: 5 of 10 steps, 50 %, 0.08 steps/s, 1 min 00 s left, loss 3.2");
  progress.finish("done");
  EXPECT_EQ(taken(), "\r\x1b[2Ktrain: 5 of 10 steps, 50 %, 0.08 steps/s, 1 min 00 s, done\n");
}

TEST_F(ProgressTest, CutsALineToTheTerminalAndClosesIt) {
  ProgressOptions narrow = options(true);
  narrow.columns = 8;
  {
    Progress progress("äöü", 10, narrow);
    progress.update(1);
  }
  EXPECT_EQ(taken(), "\r\x1b[2Käöü: 1 \n");
}

TEST_F(ProgressTest, AnUnknownTotalShowsTheRateOnly) {
  ProgressOptions plain = options(false);
  plain.line_seconds = 0.0;
  Progress progress("read", 0, plain, "files");
  seconds_ += 2.0;
  progress.update(5);
  EXPECT_EQ(taken(), "read: 5 files, 2.50 files/s\n");
}

TEST_F(ProgressTest, SilentWithoutAStream) {
  Progress progress("x", 3, {});
  progress.update(1);
  progress.message("m");
  progress.finish();
  EXPECT_EQ(taken(), "");
}

TEST(DurationTest, IsShort) {
  EXPECT_EQ(duration_text(0.4), "0 s");
  EXPECT_EQ(duration_text(59.4), "59 s");
  EXPECT_EQ(duration_text(185), "3 min 05 s");
  EXPECT_EQ(duration_text(7805), "2 h 10 min");
  EXPECT_EQ(duration_text(-3), "0 s");
}

}  // namespace progress_test
}  // namespace witan
