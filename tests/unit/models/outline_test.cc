// What a config promises, against decoders that are made.
#include "models/outline.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <map>

#include "models/checkpoint_folder.h"
#include "models/decoder.h"
#include "models/encoder_decoder_folder.h"
#include "support/tiny_models.h"

namespace witan {
namespace outline_test {

using Named = std::map<std::string, std::string>;

Named held_by(Decoder& decoder) {
  Named shapes;
  for (const auto& parts : {decoder.parameters(), decoder.buffers()}) {
    for (const Parameter& part : parts) shapes[part.name] = part.value.shape().to_string();
  }
  return shapes;
}

Named promised_by(const DecoderConfig& config) {
  Named shapes;
  for (const ParameterOutline& part : decoder_outline(config)) {
    EXPECT_TRUE(shapes.emplace(part.name, part.shape.to_string()).second) << part.name << " twice";
  }
  return shapes;
}

TEST(OutlineTest, NamesWhatReleasedDecodersHold) {
  int seen = 0;
  for (const auto& entry : std::filesystem::directory_iterator(WITAN_TEST_DATA "/golden/checkpoints")) {
    if (!entry.is_directory() || holds_encoder_decoder(entry.path())) continue;
    const DecoderConfig config = load_config(entry.path());
    EXPECT_EQ(promised_by(config), held_by(*Decoder::with_zeros(config))) << entry.path();
    ++seen;
  }
  EXPECT_GT(seen, 10);
}

TEST(OutlineTest, NamesWhatOurOwnDecodersHold) {
  const auto expect_same = [](const auto& change) {
    DecoderConfig config = test::tiny_config();
    config.first_k_dense_replace = 1;
    config.allow_noncausal = true;
    change(config);
    EXPECT_EQ(promised_by(config), held_by(*Decoder::with_zeros(config))) << config.moe.router;
  };
  for (const char* router : {"top_k", "loss_free", "hash", "random", "expert_choice", "quantile", "soft_moe"}) {
    expect_same([&](DecoderConfig& config) {
      config.moe.router = router;
      if (config.moe.router == "loss_free") config.moe.weighting = "sigmoid_topk_norm";
    });
  }
  expect_same([](DecoderConfig& config) {
    config.moe.router = "peer";
    config.moe.gate = "product_keys";
    config.moe.num_experts = 16;
    config.moe.num_experts_per_tok = 8;
    config.moe.moe_intermediate_size = 1;
    config.moe.gated = false;
    config.mlp_gated = "gated";
  });
  expect_same([](DecoderConfig& config) {
    config.moe.n_shared_experts = 2;
    config.moe.cmr_gate = true;
    config.num_output_softmaxes = 2;
  });
  expect_same([](DecoderConfig& config) {
    config.moe.n_shared_experts = 1;
    config.moe.shared_expert_gate = true;
    config.mlp_bias = true;
    config.norm = "layer";
    config.norm_bias = true;
    config.tie_word_embeddings = true;
  });
}

}  // namespace outline_test
}  // namespace witan
