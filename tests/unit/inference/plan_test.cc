// plan_run: sizes as the model made from the config has them.
#include "inference/plan.h"

#include <gtest/gtest.h>

#include "base/file.h"
#include "base/pool.h"
#include "layers/kv_cache.h"
#include "models/decoder.h"
#include "models/encoder_decoder.h"
#include "models/encoder_decoder_folder.h"
#include "support/released_goldens.h"
#include "support/temporary_folder.h"
#include "support/tiny_models.h"

namespace witan {
namespace plan_test {

TEST(PlanTest, CountsWhatTheModelHolds) {
  for (const bool tied : {false, true}) {
    DecoderConfig config = test::tiny_config();
    config.tie_word_embeddings = tied;
    const ParameterCounts counts = Decoder(config, 1).counts();
    const RunPlan plan = plan_run(config, 10);
    EXPECT_EQ(plan.weight_bytes, counts.total * 4);
    EXPECT_EQ(plan.bytes_per_token, (counts.active - (tied ? 0 : 40 * 16)) * 4);
    EXPECT_EQ(plan.cache_bytes, 2 * 3 * (2 * 4) * 10 * 4);  // keys and values, layers, heads x width, positions, f32
    EXPECT_EQ(plan.total_bytes(), plan.weight_bytes + plan.cache_bytes);
  }
}

TEST(PlanTest, LatentAttentionKeepsALatentAndOneKey) {
  DecoderConfig config = test::tiny_config();
  config.kv_lora_rank = 6;
  config.qk_nope_head_dim = 3;
  config.qk_rope_head_dim = 4;
  config.v_head_dim = 5;
  EXPECT_EQ(plan_run(config, 10).cache_bytes, 3 * (6 + 4) * 10 * 4);  // layers, numbers, positions, f32
  const KvCache cache = Decoder(config, 1).make_cache();
  EXPECT_EQ(cache.key_width() + cache.value_width(), 6 + 4);
}

TEST(PlanTest, WeightsOfHalfTheSize) {
  const DecoderConfig config = test::tiny_config();
  const RunPlan full = plan_run(config, 10);
  const RunPlan half = plan_run(config, 10, Precision::kBF16);
  EXPECT_EQ(2 * half.weight_bytes, full.weight_bytes);
  EXPECT_EQ(2 * half.bytes_per_token, full.bytes_per_token);
  EXPECT_EQ(half.cache_bytes, full.cache_bytes);
}

TEST(PlanTest, AnEncoderDecoderKeepsItsSourceOnceAndEveryOutput) {
  EncoderDecoderConfig config;
  config.vocab_size = 10;
  config.hidden_size = 4;
  config.encoder = {.num_heads = 1, .head_dim = 3, .intermediate_size = 5, .sparse = {false}};
  config.decoder = {.num_heads = 2, .head_dim = 3, .intermediate_size = 5, .sparse = {false, false}};
  const RunPlan plan = plan_run(config, 7, 11, 4);
  EXPECT_EQ(plan.cache_bytes, 2 * 2 * (2 * 3) * (7 + 4 * 11) * 4);  // keys and values, layers, heads x width
  EXPECT_EQ(plan.weight_bytes, plan.parameters.total * 4);
  EXPECT_LT(plan.bytes_per_token, plan.weight_bytes);
}

// What is taken from the pool, at its most: the estimate covers it, and not wildly more.
TEST(PlanTest, APassOfAnEncoderDecoderTakesAboutWhatThePlanSays) {
  for (const char* name : {"nllb_moe", "switch_transformers", "switch_transformers_untied"}) {
    const auto model = load_encoder_decoder(test::golden_checkpoint(name));
    for (const std::int64_t tokens : {256, 768}) {
      std::vector<std::int32_t> ids(static_cast<std::size_t>(tokens));
      for (std::size_t i = 0; i < ids.size(); ++i) ids[i] = static_cast<std::int32_t>(2 + i % 20);
      const RunPlan plan = plan_run(model->config(), tokens, tokens, 1);
      const std::size_t before = pool_statistics().bytes_in_use;
      pool_reset_peak();
      {
        Translation translation = model->start(model->encode(ids));
        model->decode(ids, translation);
      }
      const auto needed = static_cast<std::int64_t>(pool_statistics().peak_bytes_in_use - before);
      EXPECT_LE(needed, plan.cache_bytes + plan.pass_bytes) << name << " " << tokens;
      EXPECT_GE(2 * needed, plan.cache_bytes + plan.pass_bytes) << name << " " << tokens;
    }
  }
}

TEST(PlanTest, MoreBytesThanCanBeCountedAreMoreThanThereAre) {
  EncoderDecoderConfig config;
  config.hidden_size = 1 << 20;
  config.num_experts = 1 << 20;
  config.encoder = {.num_heads = 1, .head_dim = 1, .intermediate_size = 1, .sparse = {false}};
  config.decoder = {.num_heads = 1, .head_dim = 1 << 20, .intermediate_size = 1 << 20, .sparse = {true}};
  const RunPlan plan = plan_run(config, 1 << 30, 1 << 30, 1 << 30);
  EXPECT_GT(plan.parameters.total, std::int64_t{1} << 61);
  for (const std::int64_t bytes : {plan.weight_bytes, plan.cache_bytes}) EXPECT_GT(bytes, std::int64_t{1} << 61);
  EXPECT_GT(plan.total_bytes(), plan.weight_bytes);
}

TEST(PlanTest, TheMachineIsAsked) { EXPECT_NE(available_memory(), 0); }

TEST(PlanTest, TheLimitOfTheControlGroupCounts) {
  const test::TemporaryFolder root;
  EXPECT_EQ(available_memory(root.path()), -1);
  write_file(root / "proc/meminfo", "MemTotal: 9000 kB\nMemAvailable:    8000 kB\n");
  EXPECT_EQ(available_memory(root.path()), 8000 * 1024);
  // Version 1, with its number for no limit at first.
  const auto group = root / "sys/fs/cgroup";
  write_file(group / "memory/memory.limit_in_bytes", "9223372036854771712\n");
  write_file(group / "memory/memory.usage_in_bytes", "700000\n");
  write_file(group / "memory/memory.stat",
             "cache 1\ninactive_file 5\ntotal_inactive_file 20000\ntotal_active_file 3000\n");
  EXPECT_EQ(available_memory(root.path()), 8000 * 1024);
  write_file(group / "memory/memory.limit_in_bytes", "1000000\n");
  EXPECT_EQ(available_memory(root.path()), 323000);
  // Version 2.
  write_file(group / "memory.max", "max\n");
  write_file(group / "memory.current", "600000\n");
  write_file(group / "memory.stat", "inactive_file 100\nactive_file 10\n");
  EXPECT_EQ(available_memory(root.path()), 323000);
  write_file(group / "memory.max", "700000\n");
  EXPECT_EQ(available_memory(root.path()), 100110);
  write_file(group / "memory.max", "500000\n");
  EXPECT_EQ(available_memory(root.path()), 0);
}

}  // namespace plan_test
}  // namespace witan
