// Released architectures against Hugging Face Transformers: logits, greedy continuations, experts and their weights.
#include <gtest/gtest.h>

#include "support/oracle.h"

namespace witan {
namespace checkpoints_test {

void expect_agreement(const char* name, std::size_t num_sections) {
  const std::filesystem::path folder = std::filesystem::path(WITAN_TEST_DATA) / "golden" / "checkpoints" / name;
  const std::vector<test::OracleSection> sections = test::check_oracle(folder);
  EXPECT_EQ(sections.size(), num_sections);
  for (const test::OracleSection& section : sections) {
    EXPECT_TRUE(section.agrees()) << section.name << ": " << section.difference << " exceeds " << section.tolerance
                                  << " at " << section.worst;
  }
}

class CheckpointTest : public testing::TestWithParam<const char*> {};

TEST_P(CheckpointTest, AgreesWithTheReference) { expect_agreement(GetParam(), 7); }

TEST(EncoderDecoderCheckpointTest, SwitchTransformers) {
  expect_agreement("switch_transformers", 7);
  expect_agreement("switch_transformers_untied", 7);
}
TEST(EncoderDecoderCheckpointTest, NllbMoe) { expect_agreement("nllb_moe", 7); }

INSTANTIATE_TEST_SUITE_P(Released, CheckpointTest,
                         testing::Values("mixtral", "olmoe", "qwen2_moe", "qwen3_moe", "deepseek", "deepseek_v2",
                                         "deepseek_v3", "deepseek_v3_fp8", "dbrx", "gpt_oss", "gpt_oss_mxfp4", "phimoe",
                                         "granitemoe", "deepseek_one_choice", "deepseek_v3_attention_factor",
                                         "mixtral_longrope", "mistral_layer_types"),
                         [](const auto& given) { return std::string(given.param); });

}  // namespace checkpoints_test
}  // namespace witan
