// DecoderConfig: what does not fit together is refused, with the values.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "support/error_message.h"
#include "support/tiny_models.h"

namespace witan {
namespace models_config_test {

struct Wrong {
  const char* name;
  void (*change)(DecoderConfig&);
  std::vector<std::string> says;
};

const std::vector<Wrong> kWrong = {
    {"hidden_size", [](DecoderConfig& c) { c.hidden_size = 18; }, {"hidden_size", "18", "num_attention_heads=4"}},
    {"kv_heads", [](DecoderConfig& c) { c.num_key_value_heads = 3; }, {"num_key_value_heads=3", "4"}},
    {"odd_head", [](DecoderConfig& c) { c.head_dim = 5; }, {"head_dim", "5", "odd"}},
    {"top_k", [](DecoderConfig& c) { c.moe.num_experts_per_tok = 6; }, {"num_experts_per_tok", "6", "num_experts=5"}},
    {"no_layers", [](DecoderConfig& c) { c.num_hidden_layers = 0; }, {"num_hidden_layers", "0"}},
    {"no_vocabulary", [](DecoderConfig& c) { c.vocab_size = 0; }, {"vocab_size", "0"}},
    {"negative_width", [](DecoderConfig& c) { c.moe.moe_intermediate_size = -1; }, {"moe_intermediate_size", "-1"}},
    {"sparse_step", [](DecoderConfig& c) { c.decoder_sparse_step = 0; }, {"decoder_sparse_step", "0"}},
    {"theta", [](DecoderConfig& c) { c.rope_theta = 0.0; }, {"rope_theta", "0"}},
    {"qk_norm", [](DecoderConfig& c) { c.qk_norm = "heads"; }, {"qk_norm", "heads", "full"}},
    {"clip", [](DecoderConfig& c) { c.clip_qkv = -1.0; }, {"clip_qkv", "-1"}},
    {"layer_list", [](DecoderConfig& c) { c.mlp_only_layers = "0,x"; }, {"mlp_only_layers", "'x'", "0,x"}},
    {"no_such_layer", [](DecoderConfig& c) { c.full_attention_layers = "3"; }, {"full_attention_layers", "3", "2"}},
    {"norm_bias", [](DecoderConfig& c) { c.norm_bias = true; }, {"norm_bias", "layer"}},
    {"longrope",
     [](DecoderConfig& c) {
       c.rope.rope_type = "longrope";
       c.rope.rope_short_factor = "1,1";
       c.rope.rope_long_factor = "1,2,3";
     },
     {"rope_long_factor", "3", "2"}},
    {"latent_width",
     [](DecoderConfig& c) {
       c.kv_lora_rank = 8;
       c.qk_rope_head_dim = 3;
       c.v_head_dim = 4;
     },
     {"qk_rope_head_dim", "3", "odd"}},
    {"latent_norm",
     [](DecoderConfig& c) {
       c.kv_lora_rank = 8;
       c.qk_rope_head_dim = c.v_head_dim = 4;
       c.qk_norm = "full";
     },
     {"kv_lora_rank", "qk_norm"}},
    {"shared_gate", [](DecoderConfig& c) { c.moe.shared_expert_gate = true; }, {"shared_expert_gate", "0"}},
    {"router", [](DecoderConfig& c) { c.moe.router = "topk"; }, {"topk", "top_k"}},
};

class WrongConfigTest : public testing::TestWithParam<Wrong> {};

TEST_P(WrongConfigTest, IsRefusedWithItsValues) {
  DecoderConfig config = test::tiny_config();
  EXPECT_NO_THROW(config.validate());
  GetParam().change(config);
  const std::string message = test::error_message([&] { config.validate(); });
  for (const std::string& text : GetParam().says) {
    EXPECT_NE(message.find(text), std::string::npos) << "'" << text << "' in: " << message;
  }
  EXPECT_EQ(test::error_message([&] { Decoder(config, 1); }), message);
}

INSTANTIATE_TEST_SUITE_P(Decoder, WrongConfigTest, testing::ValuesIn(kWrong),
                         [](const auto& given) { return std::string(given.param.name); });

TEST(DecoderConfigTest, ARouterOfOneNumberDecidesItUnlessSomebodyChose) {
  DecoderConfig config = test::tiny_config();
  config.complete({});
  EXPECT_EQ(config.moe.num_experts_per_tok, 2) << "top_k takes any";
  config.moe.router = "switch";
  config.complete({"num_experts_per_tok"});
  EXPECT_EQ(config.moe.num_experts_per_tok, 2) << "chosen: the router will refuse it";
  config.complete({"router"});
  EXPECT_EQ(config.moe.num_experts_per_tok, 1);
  config.moe.router = "dense";
  config.complete({});
  EXPECT_EQ(config.moe.num_experts_per_tok, 5) << "every expert";
}

TEST(DecoderConfigTest, FieldsRoundTripThroughJson) {
  for (const test::NamedConfig& named : test::tiny_configs()) {
    DecoderConfig original = named.config;
    const nlohmann::json json = original.fields().to_json();
    DecoderConfig copy;
    copy.fields().set_all(json);
    EXPECT_EQ(copy.fields().to_json(), json);
    EXPECT_EQ(copy.moe.num_experts, original.moe.num_experts);
  }
}

}  // namespace models_config_test
}  // namespace witan
