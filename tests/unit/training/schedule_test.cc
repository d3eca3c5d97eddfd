// The learning rate at the corners of each schedule, and what a budget makes of steps, tokens and minutes.
#include "training/schedule.h"

#include <gtest/gtest.h>

#include "support/error_message.h"
#include "training/budget.h"

namespace witan {
namespace schedule_test {

ScheduleOptions options(const std::string& type) {
  ScheduleOptions result;
  result.learning_rate = 2.0;
  result.lr_scheduler_type = type;
  result.warmup_ratio = 0.1;
  result.decay_ratio = 0.4;
  result.min_learning_rate_ratio = 0.1;
  return result;
}

TEST(ScheduleTest, WarmsUpLinearlyInEveryType) {
  for (const char* type : {"cosine", "wsd", "constant"}) {
    EXPECT_DOUBLE_EQ(learning_rate_at(options(type), 0.0), 0.0) << type;
    EXPECT_DOUBLE_EQ(learning_rate_at(options(type), 0.05), 1.0) << type;
    EXPECT_DOUBLE_EQ(learning_rate_at(options(type), 0.1), 2.0) << type;
  }
}

TEST(ScheduleTest, CosineIsHalfWayInTheMiddleAndEndsAtTheMinimum) {
  EXPECT_NEAR(learning_rate_at(options("cosine"), 0.55), 0.5 * (2.0 + 0.2), 1e-12);
  EXPECT_NEAR(learning_rate_at(options("cosine"), 1.0), 0.2, 1e-12);
}

TEST(ScheduleTest, WsdStaysThenFallsLinearly) {
  EXPECT_DOUBLE_EQ(learning_rate_at(options("wsd"), 0.59), 2.0);
  EXPECT_NEAR(learning_rate_at(options("wsd"), 0.8), 0.2 + 1.8 * 0.5, 1e-12);
  EXPECT_NEAR(learning_rate_at(options("wsd"), 1.0), 0.2, 1e-12);
}

TEST(ScheduleTest, ConstantStays) { EXPECT_DOUBLE_EQ(learning_rate_at(options("constant"), 1.0), 2.0); }

TEST(ScheduleTest, ProgressBeyondTheRunIsTheEnd) {
  EXPECT_NEAR(learning_rate_at(options("wsd"), 1.7), 0.2, 1e-12);
  EXPECT_DOUBLE_EQ(learning_rate_at(options("wsd"), -1.0), 0.0);
}

TEST(ScheduleTest, NoWarmUpStartsAtThePeak) {
  ScheduleOptions without = options("cosine");
  without.warmup_ratio = 0.0;
  EXPECT_DOUBLE_EQ(learning_rate_at(without, 0.0), 2.0);
}

TEST(ScheduleTest, RefusesMoreThanOneRunOfWarmUpAndDecay) {
  ScheduleOptions wrong = options("wsd");
  wrong.warmup_ratio = 0.7;
  EXPECT_EQ(test::error_message([&] { wrong.validate(); }),
            "schedule.decay_ratio: warmup_ratio=0.7 and decay_ratio=0.4 are more than the whole run");
  wrong.lr_scheduler_type = "cosine";
  EXPECT_NO_THROW(wrong.validate());
}

TEST(BudgetTest, WantsExactlyOne) {
  BudgetOptions budget;
  EXPECT_THROW(budget.validate(), Error);
  budget.steps = 10;
  EXPECT_NO_THROW(budget.validate());
  budget.minutes = 1.0;
  EXPECT_THROW(budget.validate(), Error);
}

TEST(BudgetTest, CountsWhatWasAsked) {
  const Consumed consumed{.steps = 5, .tokens = 700, .seconds = 30.0};
  EXPECT_DOUBLE_EQ(budget_share({.steps = 20}, consumed), 0.25);
  EXPECT_DOUBLE_EQ(budget_share({.tokens = 1000}, consumed), 0.7);
  EXPECT_DOUBLE_EQ(budget_share({.minutes = 2.0}, consumed), 0.25);
  EXPECT_FALSE(budget_spent({.steps = 6}, consumed));
  EXPECT_TRUE(budget_spent({.steps = 5}, consumed));
  EXPECT_TRUE(budget_spent({.tokens = 700}, consumed));
  EXPECT_TRUE(budget_spent({.minutes = 0.5}, consumed));
}

TEST(BudgetTest, NextStepIsTakenAtItsMiddle) {
  EXPECT_DOUBLE_EQ(progress_of_next_step({.steps = 10}, {}, 100), 0.05);
  EXPECT_DOUBLE_EQ(progress_of_next_step({.steps = 10}, {.steps = 9}, 100), 0.95);
  EXPECT_DOUBLE_EQ(progress_of_next_step({.tokens = 1000}, {.steps = 2, .tokens = 200}, 100), 0.25);
  // Five steps took 30 s, so the sixth is expected to take 6 s: its middle is at 33 s of 120.
  EXPECT_DOUBLE_EQ(progress_of_next_step({.minutes = 2.0}, {.steps = 5, .seconds = 30.0}, 100), 33.0 / 120.0);
}

TEST(BudgetTest, TimeLeftFollowsTheMeanRate) {
  EXPECT_DOUBLE_EQ(seconds_left({.steps = 20}, {.steps = 5, .seconds = 30.0}), 90.0);
  EXPECT_LT(seconds_left({.steps = 20}, {}), 0.0);
}

}  // namespace schedule_test
}  // namespace witan
