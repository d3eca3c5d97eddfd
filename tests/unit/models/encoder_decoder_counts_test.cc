// count_parameters of encoder-decoders: what the files of one hold.
#include "models/encoder_decoder_counts.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "formats/safetensors.h"
#include "models/encoder_decoder_folder.h"

namespace witan {
namespace encoder_decoder_counts_test {

TEST(EncoderDecoderCountsTest, AreThoseOfTheFiles) {
  const std::filesystem::path folder =
      std::filesystem::path(WITAN_TEST_DATA) / "golden" / "checkpoints" / "switch_transformers";
  const SafetensorsReader reader(folder);
  std::int64_t stored = 0;
  std::int64_t unused_experts = 0;
  std::int64_t of_source = 0;
  std::int64_t encoder = 0;
  for (const auto& [name, tensor] : reader.tensors()) {
    if (name.ends_with("embed_tokens.weight") || name == "lm_head.weight") continue;  // copies of the embedding
    stored += tensor.numel();
    if (name.find("experts.expert_") != std::string::npos && name.find("expert_0.") == std::string::npos) {
      unused_experts += tensor.numel();  // one of four serves a row
    }
    const bool of_cross = name.find("EncDecAttention.") != std::string::npos;
    if (of_cross && (name.ends_with(".k.weight") || name.ends_with(".v.weight"))) of_source += tensor.numel();
    const bool idle = name.find("experts.expert_") != std::string::npos && name.find("expert_0.") == std::string::npos;
    if (name.starts_with("encoder.") && !idle) encoder += tensor.numel();
  }
  const EncoderDecoderCounts counts = count_parameters(load_encoder_decoder_config(folder));
  EXPECT_EQ(counts.all.total, stored);
  EXPECT_EQ(counts.all.active, stored - unused_experts);
  EXPECT_EQ(counts.output_token, stored - unused_experts - encoder - of_source);
}

TEST(EncoderDecoderCountsTest, BiasesAndOwnHeadsCount) {
  EncoderDecoderConfig config;
  config.vocab_size = 10;
  config.hidden_size = 4;
  config.encoder = config.decoder = {.num_heads = 2, .head_dim = 2, .intermediate_size = 3, .sparse = {true}};
  config.num_experts = 2;
  config.norm = {"layer", true, 1e-5F};
  config.bias = config.router_bias = true;
  config.tie_word_embeddings = false;
  const std::int64_t attention = 4 * (16 + 4) + 8;
  const std::int64_t expert = 2 * 12 + 3 + 4;
  const std::int64_t layer = 8 + 2 * 5 + 2 * expert;  // its norm, the router, the experts
  EXPECT_EQ(count_parameters(config).all.total, 2 * 40 + (attention + layer + 8) + (2 * attention + layer + 8));
}

}  // namespace encoder_decoder_counts_test
}  // namespace witan
