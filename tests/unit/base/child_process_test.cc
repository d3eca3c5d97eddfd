// Results, mistakes and ends of a child, and that it goes when its parent is asked to stop.
#include "base/child_process.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>

#include "base/error.h"
#include "base/interrupt.h"
#include "support/error_message.h"

namespace witan {
namespace child_process_test {

TEST(ChildProcessTest, ReturnsAResultOfAnySize) {
  EXPECT_EQ(in_child_process("work", [] { return std::string(); }), "");
  const std::string large = std::string(1 << 20, 'x') + std::string(3, '\0');  // more than a pipe holds
  EXPECT_EQ(in_child_process("work", [&] { return large + "y"; }), large + "y");
}

TEST(ChildProcessTest, SeesThisProcessButCannotChangeIt) {
  int value = 1;
  EXPECT_EQ(in_child_process("work",
                             [&] {
                               ++value;
                               return std::to_string(value);
                             }),
            "2");
  EXPECT_EQ(value, 1);
}

TEST(ChildProcessTest, PassesMistakesOn) {
  const auto message = [](const std::function<std::string()>& work) {
    return test::error_message([&] { in_child_process("work", work); });
  };
  EXPECT_EQ(message([]() -> std::string { fail("wrong: {}", 7); }), "wrong: 7");
  EXPECT_EQ(message([]() -> std::string { throw std::runtime_error("odd"); }), "work: odd");
  EXPECT_EQ(message([]() -> std::string { ::_exit(0); }), "work: ended without a result");
  const std::string killed = message([]() -> std::string {
    ::kill(::getpid(), SIGKILL);
    return "";
  });
  EXPECT_NE(killed.find("work: ended by the system with signal 9"), std::string::npos) << killed;
}

TEST(ChildProcessTest, StopsWhenItIsAsked) {
  const InterruptScope interrupts;
  const auto forever = []() -> std::string {
    for (;;) ::pause();
  };
  ::raise(SIGTERM);
  EXPECT_THROW(in_child_process("work", forever), Interrupted);
}

}  // namespace child_process_test
}  // namespace witan
