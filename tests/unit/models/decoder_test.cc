// Decoder: one definition for training, prefill and decoding gives one result.
#include "models/decoder.h"

#include <gtest/gtest.h>

#include <cmath>

#include "autograd/ops/cross_entropy.h"
#include "base/error.h"
#include "base/pool.h"
#include "layers/kv_cache.h"
#include "support/compare.h"
#include "support/error_message.h"
#include "support/gradient_check.h"
#include "support/tiny_models.h"

namespace witan {
namespace decoder_test {

using test::error_message;
using test::tiny_config;

std::vector<std::int32_t> random_ids(std::int64_t count, std::int64_t vocab, std::uint64_t seed) {
  Random random(seed);
  std::vector<std::int32_t> ids;
  for (std::int64_t i = 0; i < count; ++i) {
    ids.push_back(static_cast<std::int32_t>(random.below(static_cast<std::uint64_t>(vocab))));
  }
  return ids;
}

Tensor hidden(Decoder& model, const std::vector<std::int32_t>& ids, std::int64_t batch, KvCache* cache = nullptr) {
  Tape off;
  const auto sequence = static_cast<std::int64_t>(ids.size()) / batch;
  return model.forward(off, ids, batch, sequence, {}, cache).hidden;
}

// Sums of a few hundred products of normalised values, over a few layers: two orders above one rounding.
constexpr float kTolerance = 2e-5F;

class DecoderTest : public testing::TestWithParam<test::NamedConfig> {};

TEST_P(DecoderTest, DecodingWithACacheEqualsOneForwardPass) {
  Decoder model(GetParam().config, 3);
  const std::vector<std::int32_t> ids = random_ids(40, 40, 1);
  const Tensor whole = hidden(model, ids, 1);
  for (const std::size_t chunk : {std::size_t{1}, std::size_t{7}, std::size_t{40}}) {
    KvCache cache = model.make_cache();
    std::vector<float> pieces;
    for (std::size_t begin = 0; begin < ids.size(); begin += chunk) {
      const std::size_t end = std::min(begin + chunk, ids.size());
      const std::vector<std::int32_t> piece(ids.begin() + static_cast<std::ptrdiff_t>(begin),
                                            ids.begin() + static_cast<std::ptrdiff_t>(end));
      const Tensor part = hidden(model, piece, 1, &cache);
      pieces.insert(pieces.end(), part.values().begin(), part.values().end());
    }
    EXPECT_EQ(cache.length(), 40);
    EXPECT_TRUE(test::near(pieces, whole.values(), kTolerance)) << "chunks of " << chunk;
  }
}

TEST_P(DecoderTest, ABatchOfSequencesIsEachAlone) {
  Decoder model(GetParam().config, 3);
  const std::vector<std::int32_t> ids = random_ids(3 * 11, 40, 2);
  const Tensor together = hidden(model, ids, 3);
  for (std::ptrdiff_t sequence = 0; sequence < 3; ++sequence) {
    const std::vector<std::int32_t> own(ids.begin() + 11 * sequence, ids.begin() + 11 * (sequence + 1));
    EXPECT_TRUE(test::near(hidden(model, own, 1).values(),
                           together.values().subspan(static_cast<std::size_t>(sequence) * 11 * 16, 11 * 16),
                           kTolerance));
  }
}

TEST_P(DecoderTest, FutureTokensChangeNothing) {
  Decoder model(GetParam().config, 3);
  std::vector<std::int32_t> ids = random_ids(12, 40, 4);
  const Tensor before = hidden(model, ids, 1);
  ids.back() = (ids.back() + 1) % 40;
  const Tensor after = hidden(model, ids, 1);
  EXPECT_TRUE(test::identical(after.values().first(11 * 16), before.values().first(11 * 16)));
  EXPECT_FALSE(test::identical(after.values().last(16), before.values().last(16)));
}

TEST_P(DecoderTest, LearnsToRepeatABatch) {
  Decoder model(GetParam().config, 3);
  const std::vector<std::int32_t> inputs = random_ids(2 * 8, 40, 5);
  const std::vector<std::int32_t> targets = random_ids(2 * 8, 40, 6);
  Random noise(1);
  RouterContext context;
  context.training = true;
  context.random = &noise;
  float first = 0.0F;
  float last = 0.0F;
  for (int step = 0; step < 60; ++step) {
    Tape tape(Tape::Mode::kRecording);
    const Tensor rows = model.forward(tape, inputs, 2, 8, context).hidden;
    const Tensor loss = ops::cross_entropy(tape, rows, model.head(), targets);
    last = loss.item();
    if (step == 0) first = last;
    tape.backward(loss);
    for (const Parameter& parameter : model.parameters()) {
      if (!parameter.value.grad().present()) continue;  // an expert that no row asked for
      for (std::size_t i = 0; i < parameter.value.values().size(); ++i) {
        parameter.value.values()[i] -= 0.2F * parameter.value.grad().values()[i];
      }
      parameter.value.grad().clear();
    }
  }
  EXPECT_LT(last, 0.5F * first) << "from " << first;
}

INSTANTIATE_TEST_SUITE_P(Tiny, DecoderTest, testing::ValuesIn(test::tiny_configs()),
                         [](const auto& given) { return given.param.name; });

// RoPE that goes by the length: a shorter sequence of a padded batch keeps its own angles.
TEST(DecoderTestOfRope, EachSequenceOfABatchIsTurnedByItsOwnLength) {
  DecoderConfig dynamic = tiny_config();
  dynamic.max_position_embeddings = 6;
  dynamic.rope.rope_type = "dynamic";
  dynamic.rope.rope_factor = 4.0;
  DecoderConfig longrope = tiny_config();
  longrope.rope.rope_type = "longrope";
  longrope.rope.original_max_position_embeddings = 6;
  longrope.rope.rope_short_factor = "1,1.5";
  longrope.rope.rope_long_factor = "3,7";
  constexpr std::size_t kLongest = 11;
  for (const DecoderConfig& config : {dynamic, longrope}) {
    Decoder model(config, 3);
    const std::vector<std::int32_t> ids = random_ids(4 * kLongest, 40, 2);
    const std::vector<std::size_t> lengths = {4, kLongest, 6, 8};
    std::vector<std::uint8_t> mask(ids.size(), 0);
    for (std::size_t i = 0; i < lengths.size(); ++i)
      std::fill_n(mask.data() + i * kLongest, lengths[i], std::uint8_t{1});
    RouterContext context;
    context.row_mask = mask;
    Tape off;
    const Tensor together = model.forward(off, ids, 4, kLongest, context).hidden;
    for (std::size_t i = 0; i < lengths.size(); ++i) {
      const auto begin = ids.begin() + static_cast<std::ptrdiff_t>(i * kLongest);
      const std::vector<std::int32_t> own(begin, begin + static_cast<std::ptrdiff_t>(lengths[i]));
      EXPECT_TRUE(test::near(together.values().subspan(i * kLongest * 16, lengths[i] * 16),
                             hidden(model, own, 1).values(), kTolerance))
          << config.rope.rope_type << ", sequence " << i;
    }
  }
}

TEST(DecoderGradientTest, MatchesCentralDifferences) {
  DecoderConfig config = tiny_config();
  config.vocab_size = 6;
  config.hidden_size = 8;
  config.num_hidden_layers = 2;
  config.num_attention_heads = 2;
  config.num_key_value_heads = 1;
  config.qk_norm = "full";
  config.decoder_sparse_step = 2;  // one dense layer, one mixture
  config.intermediate_size = 6;
  config.moe.num_experts = 3;
  config.moe.num_experts_per_tok = 3;  // all: no selection that a step could flip
  config.moe.moe_intermediate_size = 4;
  config.moe.router_init_scale = 4.0;
  Decoder model(config, 11);
  const std::vector<std::int32_t> ids = {1, 4, 0, 5, 5, 2};
  std::vector<Tensor> inputs;
  for (const Parameter& parameter : model.parameters()) inputs.push_back(parameter.value);
  ASSERT_GT(inputs.size(), 20U);
  EXPECT_TRUE(test::gradients_match(
      [&](Tape& tape, std::span<const Tensor>) { return model.forward(tape, ids, 2, 3, {}).hidden; }, inputs, 4e-3F,
      2e-2F));
}

// One small layer; all experts serve every token, so that no step flips a selection.
DecoderConfig one_layer() {
  DecoderConfig config = tiny_config();
  config.vocab_size = 5;
  config.hidden_size = 4;
  config.num_hidden_layers = 1;
  config.num_attention_heads = 2;
  config.num_key_value_heads = 1;
  config.initializer_range = 0.6;
  config.moe.num_experts = 2;
  config.moe.moe_intermediate_size = 3;
  config.moe.router_init_scale = 4.0;
  return config;
}

TEST(DecoderGradientTest, OptionsOfReleasedModelsHaveTheirGradients) {
  DecoderConfig latent = one_layer();
  latent.kv_lora_rank = 3;
  latent.q_lora_rank = 3;
  latent.qk_nope_head_dim = 1;
  latent.qk_rope_head_dim = 2;
  latent.v_head_dim = 5;
  latent.attention_bias = latent.attention_output_bias = true;
  latent.moe.shared_expert_intermediate_size = 2;
  latent.moe.shared_expert_gate = true;
  DecoderConfig gpt_oss = one_layer();
  gpt_oss.attention_bias = gpt_oss.attention_output_bias = gpt_oss.attention_sinks = true;
  gpt_oss.sliding_window = 2;
  gpt_oss.moe.expert_bias = true;
  gpt_oss.moe.swiglu_limit = 50.0;
  gpt_oss.moe.fields().find("router_bias").set("true");
  DecoderConfig dense = one_layer();
  dense.decoder_sparse_step = 2;
  dense.intermediate_size = 3;
  dense.mlp_bias = dense.post_norm = dense.norm_bias = true;
  dense.norm = "layer";
  dense.embedding_multiplier = 2.0;
  dense.residual_multiplier = 0.5;
  for (const DecoderConfig& config : {latent, gpt_oss, dense}) {
    Decoder model(config, 11);
    const std::vector<std::int32_t> ids = {1, 4, 0, 2, 3, 2};
    std::vector<Tensor> inputs;
    for (const Parameter& parameter : model.parameters()) inputs.push_back(parameter.value);
    EXPECT_TRUE(test::gradients_match(
        [&](Tape& tape, std::span<const Tensor>) { return model.forward(tape, ids, 2, 3, {}).hidden; }, inputs, 4e-3F,
        2e-2F));
  }
}

TEST(DecoderLossTest, FollowsTheLogitsWithTheirScaleAndBias) {
  DecoderConfig config = tiny_config();
  config.lm_head_bias = true;
  config.logits_scaling = 3.0;
  config.tie_word_embeddings = false;
  Decoder model(config, 3);
  for (const Parameter& parameter : model.parameters()) {
    if (parameter.name == "lm_head.bias") Random(4).fill_normal(parameter.value.values(), 0.0F, 1.0F);
  }
  const std::vector<std::int32_t> ids = random_ids(6, 40, 1);
  const std::vector<std::int32_t> targets = random_ids(6, 40, 2);
  const Tensor rows = hidden(model, ids, 1);
  const Tensor logits = model.logits(rows);
  double expected = 0.0;
  for (std::int64_t row = 0; row < 6; ++row) {
    double sum = 0.0;
    for (std::int64_t v = 0; v < 40; ++v) sum += std::exp(static_cast<double>(logits.matrix()(row, v)));
    expected += std::log(sum) - logits.matrix()(row, targets[static_cast<std::size_t>(row)]);
  }
  Tape tape(Tape::Mode::kRecording);
  const Tensor loss = model.loss(tape, rows, targets);
  EXPECT_NEAR(loss.item(), expected / 6.0, 1e-5);
  tape.backward(loss);
  for (const Parameter& parameter : model.parameters()) {
    if (!parameter.name.starts_with("lm_head.")) continue;
    EXPECT_TRUE(parameter.value.grad().present()) << parameter.name;
  }
}

TEST(DecoderTestOfMemory, LaterStepsAskTheSystemForNothing) {
  Decoder model(tiny_config(), 1);
  const std::vector<std::int32_t> ids = random_ids(32, 40, 1);
  const auto step = [&] {
    Tape tape(Tape::Mode::kRecording);
    const DecoderOutput output = model.forward(tape, ids, 4, 8, {});
    tape.backward(ops::cross_entropy(tape, output.hidden, model.head(), ids));
    for (const Parameter& parameter : model.parameters()) parameter.value.grad().clear();
  };
  step();
  const PoolStatistics before = pool_statistics();
  step();
  EXPECT_EQ(pool_statistics().system_allocations, before.system_allocations);
  EXPECT_EQ(pool_statistics().bytes_in_use, before.bytes_in_use);
}

TEST(DecoderTestOfOutput, SaysWhichLayersRoutedAndHow) {
  DecoderConfig config = tiny_config();
  config.num_hidden_layers = 4;
  config.decoder_sparse_step = 2;
  Decoder model(config, 1);
  const std::vector<std::int32_t> ids = random_ids(10, 40, 1);
  std::vector<std::int64_t> observed;
  std::vector<std::string> layers;
  Tape off;
  const DecoderOutput output =
      model.forward(off, ids, 2, 5, {}, nullptr,
                    {.mixtures =
                         [&](std::int64_t layer, const Routing& routing, const Tensor&) {
                           observed.push_back(layer);
                           EXPECT_EQ(routing.assignment->num_assigned(), 20);
                         },
                     .tensors =
                         [&](const std::string& name, const Tensor& rows) {
                           if (name != "embedding" && name != "layers." + std::to_string(layers.size() - 1) + ".output")
                             return;
                           layers.push_back(name);
                           EXPECT_EQ(rows.shape(), (Shape{10, 16}));
                         }});
  EXPECT_EQ(observed, (std::vector<std::int64_t>{1, 3}));
  EXPECT_EQ(output.moe_layers, observed);
  EXPECT_EQ(layers, (std::vector<std::string>{"embedding", "layers.0.output", "layers.1.output", "layers.2.output",
                                              "layers.3.output"}));
  ASSERT_EQ(output.metrics.size(), 2U);
  std::vector<std::string> terms;
  for (const BalanceTerm& term : output.balance) terms.push_back(term.name);
  EXPECT_EQ(terms, (std::vector<std::string>{"load_balance", "router_z"}));
}

TEST(DecoderTestOfWeights, SeedAndNameDecide) {
  const auto find = [](const Decoder& model, const std::string& name) {
    for (const Parameter& parameter : model.parameters()) {
      if (parameter.name == name) return parameter.value;
    }
    return Tensor();
  };
  DecoderConfig config = tiny_config();
  config.hidden_size = 64;
  const Decoder model(config, 7);
  const Decoder same(config, 7);
  const Decoder other(config, 8);
  const auto all = model.parameters();
  for (std::size_t i = 0; i < all.size(); ++i) {
    EXPECT_TRUE(test::identical(all[i].value.values(), same.parameters()[i].value.values())) << all[i].name;
    const bool norm = all[i].name.ends_with("norm.weight");
    EXPECT_EQ(static_cast<bool>(test::identical(all[i].value.values(), other.parameters()[i].value.values())), norm)
        << all[i].name;
    EXPECT_EQ(all[i].decay, !norm) << all[i].name;
    EXPECT_TRUE(all[i].value.requires_grad()) << all[i].name;
  }
  const auto deviation = [](const Tensor& tensor) {
    double squares = 0.0;
    for (const float value : tensor.values()) squares += static_cast<double>(value) * static_cast<double>(value);
    return std::sqrt(squares / static_cast<double>(tensor.numel()));
  };
  const double residual = 0.3 / std::sqrt(2.0 * 3.0);
  EXPECT_NEAR(deviation(find(model, "model.layers.1.self_attn.q_proj.weight")), 0.3, 0.015);
  EXPECT_NEAR(deviation(find(model, "model.layers.1.mlp.experts.up_proj")), 0.3, 0.015);
  EXPECT_NEAR(deviation(find(model, "model.layers.1.self_attn.o_proj.weight")), residual, 0.006);
  EXPECT_NEAR(deviation(find(model, "model.layers.1.mlp.experts.down_proj")), residual, 0.006);
  EXPECT_GT(deviation(find(model, "model.layers.1.mlp.gate.weight")), 0.0);

  config.qk_norm = "head";  // more tensors change no others
  const Decoder more(config, 7);
  EXPECT_TRUE(test::identical(find(more, "model.layers.2.self_attn.k_proj.weight").values(),
                              find(model, "model.layers.2.self_attn.k_proj.weight").values()));
}

TEST(DecoderTestOfWeights, CountsWhatOneTokenUses) {
  const Decoder model(tiny_config(), 1);
  const std::int64_t attention = 2 * 16 * 16 + 2 * 16 * 8;
  const std::int64_t expert = 3 * 16 * 12;
  const std::int64_t layer = attention + 2 * 16 + 5 * 16;
  const ParameterCounts counts = model.counts();
  EXPECT_EQ(counts.total, 40 * 16 + 16 + 3 * (layer + 5 * expert));
  EXPECT_EQ(counts.active, 40 * 16 + 16 + 3 * (layer + 2 * expert));
}

TEST(DecoderTestOfErrors, RefusesWhatDoesNotFitAndKeepsTheCache) {
  Decoder model(tiny_config(), 1);
  Tape off;
  const std::vector<std::int32_t> ids(65, 3);
  EXPECT_NE(error_message([&] { model.forward(off, ids, 1, 65, {}); }).find("65"), std::string::npos);
  EXPECT_THROW(model.forward(off, ids, 2, 32, {}), Error);
  EXPECT_THROW(model.forward(off, {}, 1, 0, {}), Error);
  KvCache cache = model.make_cache();
  const std::vector<std::int32_t> two = {1, 2};
  const std::vector<std::int32_t> outside = {1, 40};
  EXPECT_THROW(model.forward(off, two, 2, 1, {}, &cache), Error);
  EXPECT_THROW(model.forward(off, outside, 1, 2, {}, &cache), Error);
  EXPECT_EQ(cache.length(), 0);
  const Tensor fresh = hidden(model, two, 1, &cache);
  EXPECT_TRUE(test::identical(fresh.values(), hidden(model, two, 1).values()));
  const std::vector<std::int32_t> rest(62, 3);
  hidden(model, rest, 1, &cache);
  EXPECT_NE(error_message([&] {
              model.forward(off, {two.data(), 1}, 1, 1, {}, &cache);
            }).find("64"),
            std::string::npos);
}

}  // namespace decoder_test
}  // namespace witan
