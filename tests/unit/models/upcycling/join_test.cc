// Several dense models as one mixture: whose expert is whose, what is averaged, and what the prompts make of the
// routers.
#include "models/upcycling/join.h"

#include <gtest/gtest.h>

#include <cmath>
#include <csignal>

#include "base/interrupt.h"
#include "models/outline.h"
#include "models/upcycling/feed_forward_inputs.h"
#include "support/compare.h"
#include "support/dense_folders.h"
#include "support/error_message.h"
#include "support/temporary_folder.h"

namespace witan {
namespace join_test {

using Models = std::vector<std::unique_ptr<DenseModel>>;

// Models of these seeds, in folders "0", "1", ...
Models make_models(const test::TemporaryFolder& folder, const DecoderConfig& config,
                   const std::vector<std::uint64_t>& seeds) {
  Models models;
  for (std::size_t i = 0; i < seeds.size(); ++i) {
    test::save_random_decoder(config, folder / std::to_string(i), seeds[i]);
    models.push_back(std::make_unique<DenseModel>(folder / std::to_string(i)));
  }
  return models;
}

JoinOptions random_routers() {
  JoinOptions options;
  options.router = "random";
  options.router_std = 0.5;
  return options;
}

std::vector<float> values(const DenseModel& model, const std::string& name) {
  for (const ParameterOutline& parameter : model.parameters()) {
    if (parameter.name != name) continue;
    std::vector<float> result(static_cast<std::size_t>(parameter.shape.numel()));
    model.read(name, result);
    return result;
  }
  throw std::runtime_error("no " + name);
}

Tensor parameter(const Decoder& model, const std::string& name) {
  for (const Parameter& one : model.parameters()) {
    if (one.name == name) return one.value;
  }
  throw std::runtime_error("no " + name);
}

TEST(JoinTest, ThreeTimesTheSameModelIsThatModel) {
  for (const char* weighting : {"topk_then_softmax", "softmax_then_topk"}) {
    const test::TemporaryFolder folder;
    DecoderConfig config = test::tiny_dense_config();
    config.mlp_bias = true;
    const Models models = make_models(folder, config, {5, 5, 5});
    JoinOptions options = random_routers();
    options.weighting = weighting;
    if (options.weighting == "softmax_then_topk") options.router_std = 1e-7;
    write_joined(models, plan_join(models, options), options, {}, folder / "joined");
    const std::vector<float> expected = test::logits_of(folder / "0");
    EXPECT_TRUE(test::near(test::logits_of(folder / "joined"), expected, 2e-4F * test::max_abs(expected))) << weighting;
  }
}

TEST(JoinTest, ExpertsAreTheNetworksAndTheRestIsTheMeanOrTheFirst) {
  for (const char* others : {"mean", "first"}) {
    const test::TemporaryFolder folder;
    const Models models = make_models(folder, test::tiny_dense_config(), {5, 6, 7});
    JoinOptions options = random_routers();
    options.others = others;
    options.every = 2;
    const UpcyclePlan plan = plan_join(models, options);
    EXPECT_EQ(plan.config.num_moe_layers(), 1);
    write_joined(models, plan, options, {}, folder / "joined");
    const std::unique_ptr<Decoder> joined = load_model(folder / "joined");
    for (const char* projection : {"gate_proj", "up_proj", "down_proj"}) {
      const Tensor experts = parameter(*joined, std::string("model.layers.1.mlp.experts.") + projection);
      const auto size = static_cast<std::size_t>(experts.numel()) / 3;
      for (std::size_t e = 0; e < 3; ++e) {
        EXPECT_TRUE(test::identical(experts.values().subspan(e * size, size),
                                    values(*models[e], std::string("model.layers.1.mlp.") + projection)));
      }
    }
    for (const char* name : {"model.embed_tokens.weight", "model.layers.0.self_attn.q_proj.weight", "model.norm.weight",
                             "model.layers.0.mlp.up_proj"}) {
      std::vector<float> expected = values(*models[0], name);
      if (std::string(others) == "mean") {
        const std::vector<float> second = values(*models[1], name);
        const std::vector<float> third = values(*models[2], name);
        for (std::size_t i = 0; i < expected.size(); ++i) {
          const double sum =
              static_cast<double>(expected[i]) + static_cast<double>(second[i]) + static_cast<double>(third[i]);
          expected[i] = static_cast<float>(sum / 3.0);
        }
      }
      EXPECT_TRUE(test::identical(parameter(*joined, name).values(), expected)) << name;
    }
  }
}

// A one-expert mixture of the same weights whose gate is one of the unit vectors scores with that entry of the rows.
TEST(FeedForwardInputsTest, AreTheMeanDirectionsOfTheRows) {
  for (const bool post_norm : {false, true}) {
    const test::TemporaryFolder folder;
    DecoderConfig config = test::tiny_dense_config();
    config.post_norm = post_norm;
    config.residual_multiplier = 0.7;
    test::save_random_decoder(config, folder / "dense");
    const DenseModel dense(folder / "dense");
    // Sixteen copies, one per entry of a row: the router's scores are the row.
    UpcycleOptions options;
    options.experts = 16;
    write_upcycled(dense, plan_upcycle(dense.config(), options), options, folder / "sparse");
    const std::unique_ptr<Decoder> sparse = load_model(folder / "sparse");
    for (std::int64_t layer = 0; layer < 3; ++layer) {
      const Tensor gate = parameter(*sparse, feed_forward_prefix(layer) + "gate.weight");
      for (std::size_t i = 0; i < 256; ++i) gate.values()[i] = i % 17 == 0 ? 1.0F : 0.0F;
    }
    const std::vector<std::vector<std::int32_t>> prompts = {{1, 4, 9, 16}, {}, {25, 36}};
    std::vector<std::vector<double>> sums(3, std::vector<double>(16, 0.0));
    const auto observer = [&](const std::string& name, const Tensor& rows) {
      for (std::size_t layer = 0; layer < 3; ++layer) {
        if (name != "layers." + std::to_string(layer) + ".moe.router") continue;
        for (std::int64_t r = 0; r < rows.rows(); ++r) {
          const std::span<const float> row(rows.matrix().row(r), 16);
          double squares = 0.0;
          for (const float value : row) squares += static_cast<double>(value) * static_cast<double>(value);
          for (std::size_t i = 0; i < 16; ++i) sums[layer][i] += static_cast<double>(row[i]) / std::sqrt(squares);
        }
      }
    };
    for (const std::vector<std::int32_t>& prompt : prompts) {
      Tape off;
      const auto length = static_cast<std::int64_t>(prompt.size());
      if (length > 0) sparse->forward(off, prompt, 1, length, {}, nullptr, {.tensors = observer});
    }
    const LayerDirections directions = mean_feed_forward_inputs(dense, prompts);
    ASSERT_EQ(directions.size(), 3U);
    for (std::size_t layer = 0; layer < 3; ++layer) {
      double squares = 0.0;
      for (const double sum : sums[layer]) squares += sum * sum;
      std::vector<float> expected;
      for (const double sum : sums[layer]) expected.push_back(static_cast<float>(sum / std::sqrt(squares)));
      EXPECT_TRUE(test::near(directions[layer], expected, 1e-4F)) << layer;
    }
    const std::string message = test::error_message([&] { mean_feed_forward_inputs(dense, {}); });
    EXPECT_NE(message.find("no prompts"), std::string::npos) << message;
  }
}

TEST(FeedForwardInputsTest, StopWhenInterrupted) {
  const test::TemporaryFolder folder;
  test::save_random_decoder(test::tiny_dense_config(), folder / "dense");
  const DenseModel dense(folder / "dense");
  const std::vector<std::vector<std::int32_t>> prompts = {{1, 4, 9, 16}};
  const InterruptScope scope;
  std::raise(SIGINT);
  EXPECT_THROW(mean_feed_forward_inputs(dense, prompts), Interrupted);
}

TEST(JoinTest, PromptsMakeTheRows) {
  const test::TemporaryFolder folder;
  const Models models = make_models(folder, test::tiny_dense_config(), {5, 6});
  const std::vector<std::vector<std::int32_t>> first = {{1, 2, 3}};
  const std::vector<std::vector<std::int32_t>> second = {{30, 31}};
  const std::vector<LayerDirections> directions = {mean_feed_forward_inputs(*models[0], first),
                                                   mean_feed_forward_inputs(*models[1], second)};
  const JoinOptions options;
  write_joined(models, plan_join(models, options), options, directions, folder / "joined");
  const std::unique_ptr<Decoder> joined = load_model(folder / "joined");
  for (std::size_t layer = 0; layer < 3; ++layer) {
    const Tensor rows = parameter(*joined, feed_forward_prefix(static_cast<std::int64_t>(layer)) + "gate.weight");
    for (std::size_t e = 0; e < 2; ++e) {
      EXPECT_TRUE(test::identical(rows.values().subspan(e * 16, 16), directions[e][layer]));
    }
  }
}

TEST(JoinErrorTest, ModelsOfDifferentBases) {
  const auto message = [](void (*change)(DecoderConfig&), const JoinOptions& options = {}) {
    const test::TemporaryFolder folder;
    DecoderConfig other = test::tiny_dense_config();
    change(other);
    test::save_random_decoder(test::tiny_dense_config(), folder / "a");
    test::save_random_decoder(other, folder / "b");
    Models models;
    models.push_back(std::make_unique<DenseModel>(folder / "a"));
    models.push_back(std::make_unique<DenseModel>(folder / "b"));
    return test::error_message([&] { plan_join(models, options); });
  };
  const auto says = [](const std::string& text, const std::string& part) {
    EXPECT_NE(text.find(part), std::string::npos) << text;
  };
  EXPECT_EQ(message([](DecoderConfig&) {}), "no error");
  says(message([](DecoderConfig& c) { c.intermediate_size = 28; }), "'model.layers.0.mlp.gate_proj' is [1, 24, 16]");
  says(message([](DecoderConfig& c) { c.vocab_size = 41; }), "'model.embed_tokens.weight' is [40, 16]");
  says(message([](DecoderConfig& c) { c.qk_norm = "head"; }), "self_attn.q_norm.weight' is no such tensor");
  says(message([](DecoderConfig& c) { c.rope_theta = 500.0; }), "rope_theta is 10000.0");
  JoinOptions options;
  options.top_k = 3;
  says(message([](DecoderConfig&) {}, options), "join.top_k: top_k=3 exceeds 2 models");
  const Models one(1);
  says(test::error_message([&] { plan_join(one, {}); }), "expected at least two");
}

}  // namespace join_test
}  // namespace witan
