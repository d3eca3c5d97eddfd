// The interrupt flag: set by a signal, cleared and undone at the end of the scope.
#include "base/interrupt.h"

#include <gtest/gtest.h>

#include <csignal>

namespace witan {
namespace interrupt_test {

TEST(InterruptTest, ASignalSetsTheFlagWithinTheScopeOnly) {
  for (const int signal : {SIGINT, SIGTERM}) {
    void (*const before)(int) = std::signal(signal, SIG_IGN);
    {
      const InterruptScope scope;
      EXPECT_FALSE(interrupted());
      EXPECT_NO_THROW(throw_if_interrupted());
      std::raise(signal);
      EXPECT_TRUE(interrupted());
      EXPECT_THROW(throw_if_interrupted(), Interrupted);
      EXPECT_EQ(Interrupted().exit_code(), signal == SIGINT ? 130 : 143);
    }
    EXPECT_FALSE(interrupted());
    EXPECT_EQ(std::signal(signal, before), SIG_IGN);
  }
}

TEST(InterruptTest, AHangupIsOneUnlessItIsIgnored) {
  void (*const before)(int) = std::signal(SIGHUP, SIG_DFL);
  for (void (*const handler)(int) : {SIG_DFL, SIG_IGN}) {
    std::signal(SIGHUP, handler);
    const InterruptScope scope;
    std::raise(SIGHUP);
    EXPECT_EQ(interrupted(), handler == SIG_DFL);
  }
  std::signal(SIGHUP, before);
}

TEST(InterruptTest, TheSecondSignalEndsTheProcess) {
  EXPECT_EXIT(
      {
        const InterruptScope scope;
        std::raise(SIGINT);
        std::raise(SIGINT);
      },
      ::testing::KilledBySignal(SIGINT), "");
}

}  // namespace interrupt_test
}  // namespace witan
