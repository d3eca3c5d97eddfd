// Parameters counted from a config are those of the decoder that is built from it, or of an encoder-decoder's files.
#include "models/parameter_counts.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "formats/safetensors.h"
#include "gates/table.h"
#include "models/encoder_decoder_folder.h"
#include "routers/table.h"
#include "support/error_message.h"
#include "support/released_goldens.h"
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

TEST(ParameterCountsTest, OfEncoderDecodersAreThoseOfTheFiles) {
  const std::filesystem::path folder = test::golden_checkpoint("switch_transformers");
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

TEST(ParameterCountsTest, OfEncoderDecodersHoldBiasesAndOwnHeads) {
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

TEST(ParameterCountsTest, LayersAndTheRestAreTheWholeEncoderDecoder) {
  const EncoderDecoderConfig config = load_encoder_decoder_config(test::golden_checkpoint("switch_transformers"));
  std::int64_t sum = parameters_outside_layers(config);
  for (const auto& [stack, layer] : {std::pair{&config.encoder, encoder_layer_parameters(config)},
                                     std::pair{&config.decoder, decoder_layer_parameters(config)}}) {
    for (const bool sparse : stack->sparse) {
      sum += layer.attention + (sparse ? layer.routing + config.num_experts * layer.expert : layer.dense);
    }
  }
  EXPECT_EQ(sum, count_parameters(config).all.total);
}

// Each size is allowed, their product is beyond 64 bits.
TEST(ParameterCountsTest, MoreThanCanBeCountedAreRefusedByEveryCount) {
  EncoderDecoderConfig config;
  config.hidden_size = 1 << 20;
  config.encoder =
      config.decoder = {.num_heads = 1 << 20, .head_dim = 1 << 20, .intermediate_size = 1, .sparse = {false, false}};
  DecoderConfig decoder = test::tiny_config();
  decoder.num_hidden_layers = 1 << 10;
  decoder.hidden_size = 1 << 20;
  decoder.moe.moe_intermediate_size = 1 << 20;
  decoder.moe.num_experts = 1 << 16;
  for (const std::string& message : {test::error_message([&] { count_parameters(config); }),
                                     test::error_message([&] { encoder_layer_parameters(config); }),
                                     test::error_message([&] { decoder_layer_parameters(config); }),
                                     test::error_message([&] { parameters_outside_layers(config); }),
                                     test::error_message([&] { count_parameters(decoder); }),
                                     test::error_message([&] { layer_parameters(decoder); }),
                                     test::error_message([&] { parameters_outside_layers(decoder); })}) {
    EXPECT_NE(message.find("more than can be counted"), std::string::npos) << message;
  }
}

}  // namespace parameter_counts_test
}  // namespace witan
