// Parameters counted from a config are those of the decoder that is built from it.
#include "models/parameter_counts.h"

#include <gtest/gtest.h>

#include "gates/table.h"
#include "routers/table.h"
#include "support/error_message.h"
#include "support/tiny_models.h"

namespace witan {
namespace parameter_counts_test {

void expect_counted(const DecoderConfig& config, const std::string& name) {
  const ParameterCounts built = Decoder::with_zeros(config)->counts();
  const ParameterCounts counted = count_parameters(config);
  EXPECT_EQ(counted.total, built.total) << name;
  EXPECT_EQ(counted.active, built.active) << name;
}

TEST(ParameterCountsTest, AreThoseOfTheBuiltModel) {
  for (const test::NamedConfig& named : test::tiny_configs()) expect_counted(named.config, named.name);
}

TEST(ParameterCountsTest, HoldForEveryGateAndRouter) {
  int routers = 0;
  for (const RouterEntry& router : router_table()) {
    DecoderConfig config = test::tiny_config();
    config.moe.router = router.name;
    config.moe.num_experts = 4;
    config.allow_noncausal = true;
    config.complete({});
    // A router may want options of its own; then it says so, and there is no decoder to compare with.
    if (test::error_message([&] { Decoder::with_zeros(config); }) != "no error") continue;
    expect_counted(config, router.name);
    ++routers;
  }
  EXPECT_GE(routers, 2);
  for (const std::string& gate : gate_names()) {
    DecoderConfig config = test::tiny_config();
    config.moe.gate = gate;
    config.moe.num_experts = 4;  // a square and a power of two, for the gates that ask for one
    expect_counted(config, gate);
  }
}

TEST(ParameterCountsTest, AHugeModelIsCountedAndNotBuilt) {
  DecoderConfig config = test::tiny_config();
  config.num_hidden_layers = 4096;
  config.hidden_size = 1 << 16;
  config.moe.moe_intermediate_size = 1 << 20;
  EXPECT_GT(count_parameters(config).total, std::int64_t{1} << 51);
}

}  // namespace parameter_counts_test
}  // namespace witan
