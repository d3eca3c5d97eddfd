// plan_run: sizes as the model made from the config has them.
#include "inference/plan.h"

#include <gtest/gtest.h>

#include "models/decoder.h"

namespace witan {
namespace plan_test {

DecoderConfig small_config() {
  DecoderConfig config;
  config.vocab_size = 40;
  config.hidden_size = 8;
  config.num_hidden_layers = 3;
  config.num_attention_heads = 4;
  config.num_key_value_heads = 2;
  config.max_position_embeddings = 32;
  config.moe.num_experts = 4;
  config.moe.num_experts_per_tok = 2;
  config.moe.moe_intermediate_size = 6;
  return config;
}

TEST(PlanTest, CountsWhatTheModelHolds) {
  for (const bool tied : {false, true}) {
    DecoderConfig config = small_config();
    config.tie_word_embeddings = tied;
    const ParameterCounts counts = Decoder(config, 1).counts();
    const RunPlan plan = plan_run(config, 10);
    EXPECT_EQ(plan.weight_bytes, counts.total * 4);
    EXPECT_EQ(plan.bytes_per_token, (counts.active - (tied ? 0 : 40 * 8)) * 4);
    EXPECT_EQ(plan.cache_bytes, 2 * 3 * (2 * 2) * 10 * 4);  // keys and values, layers, heads x width, positions, f32
    EXPECT_EQ(plan.total_bytes(), plan.weight_bytes + plan.cache_bytes);
  }
}

TEST(PlanTest, TheMachineIsAsked) { EXPECT_NE(available_memory(), 0); }

}  // namespace plan_test
}  // namespace witan
