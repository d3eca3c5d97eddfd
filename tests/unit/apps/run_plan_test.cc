// A model that does not fit is refused with the sizes and with advice.
#include "witan/run_plan.h"

#include <gtest/gtest.h>

#include "support/error_message.h"

namespace witan::cli {
namespace run_plan_test {

TEST(RunPlanTest, AModelBeyondTheMemoryIsRefused) {
  ASSERT_GT(available_memory(), 2000) << "Linux says how much is free";
  RunPlan plan;
  plan.weight_bytes = 1000;
  plan.cache_bytes = 1000;
  EXPECT_EQ(test::error_message([&] { require_memory(plan, 10); }), "no error");
  plan.weight_bytes = std::int64_t{3} << 60;
  const std::string message = test::error_message([&] { require_memory(plan, 10); });
  for (const char* part : {"GB of memory", "10 positions", "are free", "--max-tokens"}) {
    EXPECT_NE(message.find(part), std::string::npos) << part << " in: " << message;
  }
}

}  // namespace run_plan_test
}  // namespace witan::cli
