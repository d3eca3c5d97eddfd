// Mixtures made of dense models: at first they compute the same, and what is asked for beyond that happens.
#include "models/upcycling/upcycle.h"

#include <fmt/core.h>
#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "base/file.h"
#include "base/json.h"
#include "formats/safetensors.h"
#include "models/upcycling/units.h"
#include "support/compare.h"
#include "support/dense_folders.h"
#include "support/error_message.h"
#include "support/temporary_folder.h"

namespace witan {
namespace upcycle_test {

// Of logits of a few units: four layers of sums whose orders differ.
constexpr float kRounding = 2e-4F;

UpcyclePlan upcycle(const std::filesystem::path& dense, const UpcycleOptions& options,
                    const std::filesystem::path& output) {
  const DenseModel model(dense);
  const UpcyclePlan plan = plan_upcycle(model.config(), options);
  write_upcycled(model, plan, options, output);
  return plan;
}

struct Cut {
  std::int64_t experts;
  std::int64_t top_k;
  std::int64_t granularity;
  std::int64_t shared = 0;
  std::int64_t every = 1;
};

UpcycleOptions options_of(const Cut& cut) {
  UpcycleOptions options;
  options.experts = cut.experts;
  options.top_k = cut.top_k;
  options.granularity = cut.granularity;
  options.shared_experts = cut.shared;
  options.every = cut.every;
  options.router_std = 0.5;  // so that weights and choices differ from row to row
  return options;
}

void expect_dense_at_first(const DecoderConfig& dense, const Cut& cut, const std::string& name) {
  const test::TemporaryFolder folder;
  test::save_random_decoder(dense, folder / "dense");
  const UpcyclePlan plan = upcycle(folder / "dense", options_of(cut), folder / "sparse");
  EXPECT_TRUE(plan.deviations.empty()) << name;
  const std::unique_ptr<Decoder> sparse = load_model(folder / "sparse");
  EXPECT_EQ(sparse->config().moe.num_experts, cut.experts) << name;
  EXPECT_EQ(sparse->config().num_moe_layers(), dense.num_hidden_layers / cut.every) << name;
  const std::vector<float> expected = test::logits_of(folder / "dense");
  EXPECT_TRUE(test::near(test::logits_of(*sparse), expected, kRounding * test::max_abs(expected))) << name;
}

std::string name_of(const Cut& cut) {
  return fmt::format("E={} k={} G={} shared={} every={}", cut.experts, cut.top_k, cut.granularity, cut.shared,
                     cut.every);
}

TEST(UpcycleTest, IsTheDenseModelAtFirstForEveryCut) {
  for (const Cut& cut :
       {Cut{5, 3, 1}, {4, 4, 1}, {4, 2, 2}, {16, 8, 8}, {9, 6, 3}, {4, 2, 3, 1}, {2, 2, 4, 2}, {8, 2, 1, 0, 2}}) {
    expect_dense_at_first(test::tiny_dense_config(), cut, name_of(cut));
  }
}

TEST(UpcycleTest, IsTheDenseModelAtFirstForEveryNetwork) {
  struct Network {
    const char* activation;
    bool gated;
    bool bias;
  };
  for (const Network& network : {Network{"silu", true, true},
                                 {"gelu", true, false},
                                 {"gelu", false, true},
                                 {"gelu_pytorch_tanh", false, false},
                                 {"relu", true, false},
                                 {"relu", false, true}}) {
    DecoderConfig dense = test::tiny_dense_config();
    dense.moe.hidden_act = network.activation;
    dense.moe.gated = network.gated;
    dense.mlp_bias = network.bias;
    for (const Cut& cut : {Cut{8, 2, 1}, {6, 3, 3}, {6, 3, 4, 1}}) {
      if (network.bias && cut.shared > 0) continue;  // refused
      expect_dense_at_first(dense, cut,
                            fmt::format("{} {} {} {}", network.activation, network.gated, network.bias, name_of(cut)));
    }
  }
}

TEST(UpcycleTest, OddSizes) {
  DecoderConfig dense = test::tiny_dense_config();
  dense.hidden_size = 20;
  dense.head_dim = 6;
  dense.intermediate_size = 35;
  expect_dense_at_first(dense, {7, 3, 1}, "copies");
  expect_dense_at_first(dense, {10, 5, 5}, "five shards");
  expect_dense_at_first(dense, {21, 14, 7}, "seven shards");
}

TEST(UpcycleTest, EveryDenseArchitectureBecomesTheMixtureThatExpressesIt) {
  for (const test::NamedConfig& named : test::tiny_configs()) {
    if (named.config.num_moe_layers() > 0) continue;
    const std::map<std::string, std::string> mixtures = {{"dense", "mixtral"},   {"llama", "witan"},
                                                         {"mistral", "mixtral"}, {"qwen2", "witan"},
                                                         {"qwen3", "qwen3_moe"}, {"olmo2", "witan"}};
    ASSERT_TRUE(mixtures.contains(named.name)) << named.name;
    const test::TemporaryFolder folder;
    test::save_random_decoder(named.config, folder / "dense");
    const UpcyclePlan plan = upcycle(folder / "dense", options_of({8, 2, 1}), folder / "sparse");
    EXPECT_EQ(plan.config.model_type, mixtures.at(named.name)) << named.name;
    EXPECT_EQ(load_config(folder / "sparse").model_type, mixtures.at(named.name)) << named.name;
    const std::vector<float> expected = test::logits_of(folder / "dense");
    EXPECT_TRUE(test::near(test::logits_of(folder / "sparse"), expected, kRounding * test::max_abs(expected)))
        << named.name;
  }
}

TEST(UpcycleTest, OlmoeAndTheGatedSharedExpertOfQwen2) {
  DecoderConfig olmo = test::tiny_dense_config();
  olmo.qk_norm = "full";
  DecoderConfig qwen = test::tiny_dense_config();
  qwen.attention_bias = true;
  DecoderConfig with_windows = qwen;
  with_windows.sliding_window = 3;
  with_windows.full_attention_layers = "0";
  for (const auto& [dense, cut, type] : {std::tuple{olmo, Cut{8, 2, 1}, "olmoe"},
                                         {qwen, Cut{6, 3, 4, 1}, "qwen2_moe"},
                                         {with_windows, Cut{6, 3, 4, 1}, "witan"},
                                         {test::tiny_dense_config(), Cut{6, 3, 4, 1}, "deepseek"}}) {
    const test::TemporaryFolder folder;
    test::save_random_decoder(dense, folder / "dense");
    const UpcyclePlan plan = upcycle(folder / "dense", options_of(cut), folder / "sparse");
    EXPECT_EQ(plan.config.model_type, type);
    EXPECT_TRUE(plan.deviations.empty());
    const std::vector<float> expected = test::logits_of(folder / "dense");
    EXPECT_TRUE(test::near(test::logits_of(folder / "sparse"), expected, kRounding * test::max_abs(expected))) << type;
  }
}

TEST(UpcycleTest, AMixtureOfOneConstantExpertIsDense) {
  for (const char* router : {"dense", "top_k"}) {
    DecoderConfig one = test::tiny_config();
    one.moe.router = router;
    one.moe.num_experts = one.moe.num_experts_per_tok = 1;
    one.moe.allow_constant_weight = true;
    const test::TemporaryFolder folder;
    test::save_random_decoder(one, folder / "dense");
    const UpcyclePlan plan = upcycle(folder / "dense", options_of({4, 2, 2}), folder / "sparse");
    EXPECT_EQ(plan.config.moe.moe_intermediate_size, one.moe.moe_intermediate_size / 2) << router;
    const std::vector<float> expected = test::logits_of(folder / "dense");
    EXPECT_TRUE(test::near(test::logits_of(folder / "sparse"), expected, kRounding * test::max_abs(expected)))
        << router;
  }
}

// With a router of nearly equal scores every weight is 1 / E, and the factor makes the output the dense one.
TEST(UpcycleTest, WeightsThatAreNotDividedByTheirSumAreMadeUpForOnAverage) {
  for (const Cut& cut : {Cut{8, 2, 1}, Cut{8, 1, 1}, Cut{12, 6, 3}, Cut{6, 3, 4, 1}}) {
    DecoderConfig dense = test::tiny_dense_config();
    dense.mlp_bias = cut.shared == 0;
    const test::TemporaryFolder folder;
    test::save_random_decoder(dense, folder / "dense");
    UpcycleOptions options = options_of(cut);
    options.weighting = "softmax_then_topk";
    const UpcyclePlan inexact = upcycle(folder / "dense", options, folder / "random");
    ASSERT_EQ(inexact.deviations.size(), 1U);
    EXPECT_NE(inexact.deviations.front().find("not divided by their sum"), std::string::npos);
    options.router_std = 1e-7;
    upcycle(folder / "dense", options, folder / "even");
    const std::vector<float> expected = test::logits_of(folder / "dense");
    const float tolerance = kRounding * test::max_abs(expected);
    EXPECT_TRUE(test::near(test::logits_of(folder / "even"), expected, tolerance)) << cut.granularity;
    EXPECT_FALSE(test::near(test::logits_of(folder / "random"), expected, tolerance)) << cut.granularity;
  }
}

TEST(UpcycleTest, SaysWhenItCannotBeExact) {
  const test::TemporaryFolder folder;
  test::save_random_decoder(test::tiny_dense_config(), folder / "dense");
  const std::vector<float> expected = test::logits_of(folder / "dense");
  const auto expect_deviation = [&](const std::string& name, const UpcycleOptions& options, const std::string& says) {
    const UpcyclePlan plan = upcycle(folder / "dense", options, folder / name);
    ASSERT_EQ(plan.deviations.size(), 1U) << name;
    EXPECT_NE(plan.deviations.front().find(says), std::string::npos) << plan.deviations.front();
    EXPECT_FALSE(test::near(test::logits_of(folder / name), expected, 1e-3F)) << name;
  };
  expect_deviation("uneven", options_of({8, 3, 2}), "3 experts of a row");
  UpcycleOptions noisy = options_of({8, 2, 1});
  noisy.noise = 0.5;
  noisy.noise_share = 0.5;
  expect_deviation("noisy", noisy, "noise of 0.5");
  UpcycleOptions dropped = options_of({8, 2, 1});
  dropped.drop = 0.5;
  expect_deviation("dropped", dropped, "drawn anew");
}

std::vector<float> tensor(const std::filesystem::path& folder, const std::string& name) {
  const SafetensorsReader reader(folder);
  const StoredTensor& stored = reader.tensor(name);
  std::vector<float> values(static_cast<std::size_t>(stored.numel()));
  reader.read_f32(name, stored.shape, values);
  return values;
}

TEST(UpcycleTest, DropRedrawsTheSameUnitsOfAllThreeMatricesAndOthersInEachExpert) {
  const test::TemporaryFolder folder;
  const DecoderConfig dense = test::tiny_dense_config();
  test::save_random_decoder(dense, folder / "dense");
  UpcycleOptions options = options_of({4, 2, 1});
  options.drop = 0.25;
  upcycle(folder / "dense", options, folder / "sparse");
  const std::int64_t units = dense.intermediate_size;
  const std::int64_t hidden = dense.hidden_size;
  const auto redrawn = [&](int expert, const char* ours, const char* stored) {
    const std::vector<float> now =
        tensor(folder / "sparse", fmt::format("model.layers.1.block_sparse_moe.experts.{}.{}.weight", expert, stored));
    const std::vector<float> was = tensor(folder / "dense", fmt::format("model.layers.1.mlp.{}.weight", ours));
    const UnitMatrix<const float> matrix = unit_matrix(ours, std::span<const float>(now), units);
    std::vector<std::int64_t> changed;
    for (std::int64_t unit = 0; unit < units; ++unit) {
      std::int64_t differing = 0;
      for (std::int64_t i = 0; i < hidden; ++i) differing += now[matrix.at(unit, i)] != was[matrix.at(unit, i)] ? 1 : 0;
      EXPECT_TRUE(differing == 0 || differing == hidden);
      if (differing > 0) changed.push_back(unit);
    }
    return changed;
  };
  std::set<std::vector<std::int64_t>> sets;
  for (int expert = 0; expert < 4; ++expert) {
    const std::vector<std::int64_t> gate = redrawn(expert, "gate_proj", "w1");
    EXPECT_EQ(static_cast<std::int64_t>(gate.size()), units / 4);
    EXPECT_EQ(gate, redrawn(expert, "up_proj", "w3"));
    EXPECT_EQ(gate, redrawn(expert, "down_proj", "w2"));
    sets.insert(gate);
  }
  EXPECT_GT(sets.size(), 1U);
}

TEST(UpcycleTest, TheSeedDecides) {
  const test::TemporaryFolder folder;
  test::save_random_decoder(test::tiny_dense_config(), folder / "dense");
  UpcycleOptions options = options_of({4, 2, 1});
  options.noise = 0.1;
  options.drop = 0.5;
  upcycle(folder / "dense", options, folder / "a");
  upcycle(folder / "dense", options, folder / "b");
  options.seed = 1;
  upcycle(folder / "dense", options, folder / "c");
  const std::string first = read_text_file(folder / "a" / "model.safetensors");
  EXPECT_EQ(read_text_file(folder / "b" / "model.safetensors"), first);
  EXPECT_NE(read_text_file(folder / "c" / "model.safetensors"), first);
}

TEST(UpcycleTest, VirtualGroupsShareARow) {
  const test::TemporaryFolder folder;
  test::save_random_decoder(test::tiny_dense_config(), folder / "dense");
  upcycle(folder / "dense", options_of({6, 3, 3}), folder / "sparse");
  const std::vector<float> rows = tensor(folder / "sparse", "model.layers.0.block_sparse_moe.gate.weight");
  const auto row = [&](int expert) {
    return std::span<const float>(rows).subspan(static_cast<std::size_t>(expert) * 16, 16);
  };
  for (const int expert : {1, 2}) EXPECT_TRUE(test::identical(row(expert), row(0)));
  for (const int expert : {4, 5}) EXPECT_TRUE(test::identical(row(expert), row(3)));
  EXPECT_FALSE(test::identical(row(3), row(0)));
}

TEST(UpcycleTest, KeepsOrChangesTheNumbersFormat) {
  for (const auto& [asked, expected] :
       {std::pair{"keep", DType::kBF16}, {"f32", DType::kF32}, {"f16", DType::kF16}, {"bf16", DType::kBF16}}) {
    const test::TemporaryFolder folder;
    test::save_random_decoder(test::tiny_dense_config(), folder / "dense", 5, DType::kBF16);
    UpcycleOptions options = options_of({4, 2, 2});
    options.dtype = asked;
    upcycle(folder / "dense", options, folder / "sparse");
    const SafetensorsReader reader(folder / "sparse");
    for (const auto& [name, stored] : reader.tensors()) EXPECT_EQ(stored.dtype, expected) << name;
    if (expected != DType::kBF16 && expected != DType::kF32) continue;
    const std::vector<float> logits = test::logits_of(folder / "dense");
    // Two is a power of two: scaling by it loses nothing.
    EXPECT_TRUE(test::near(test::logits_of(folder / "sparse"), logits, kRounding * test::max_abs(logits))) << asked;
  }
}

TEST(UpcycleTest, CopiesWhatStandsBesideTheWeights) {
  const test::TemporaryFolder folder;
  test::save_random_decoder(test::tiny_dense_config(), folder / "dense");
  write_file(folder / "dense" / "tokenizer.json", "{\"a\": 1}");
  write_file(folder / "dense" / "chat_template.jinja", "{{ x }}");
  write_file(folder / "dense" / "LICENSE", "mine");
  write_file(folder / "dense" / "pytorch_model.bin", "the dense weights");
  write_file(folder / "dense" / "generation_config.json", "{\"eos_token_id\": [2, 7], \"temperature\": 0.5}");
  upcycle(folder / "dense", options_of({4, 2, 1}), folder / "sparse");
  EXPECT_EQ(read_text_file(folder / "sparse" / "tokenizer.json"), "{\"a\": 1}");
  EXPECT_EQ(read_text_file(folder / "sparse" / "chat_template.jinja"), "{{ x }}");
  EXPECT_EQ(read_text_file(folder / "sparse" / "LICENSE"), "mine");
  EXPECT_FALSE(std::filesystem::exists(folder / "sparse" / "pytorch_model.bin"));
  EXPECT_EQ(read_json_file(folder / "sparse" / "generation_config.json").at("temperature"), 0.5);
  EXPECT_EQ(load_config(folder / "sparse").eos_token_ids, (std::vector<std::int64_t>{2, 7}));
}

TEST(UpcycleErrorTest, OptionsThatDoNotFit) {
  const DecoderConfig dense = test::tiny_dense_config();  // intermediate_size 24, 3 layers
  const auto message = [&](const Cut& cut, const char* weighting = "topk_then_softmax") {
    UpcycleOptions options = options_of(cut);
    options.weighting = weighting;
    return test::error_message([&] { plan_upcycle(dense, options); });
  };
  const auto says = [](const std::string& text, const std::string& part) {
    EXPECT_NE(text.find(part), std::string::npos) << text;
  };
  says(message({4, 5, 1}), "upcycle.top_k: top_k=5 exceeds experts=4");
  says(message({10, 5, 5}), "upcycle.granularity: intermediate_size=24 of the model cannot be cut into 5");
  says(message({8, 4, 3}), "upcycle.experts: experts=8 is not a multiple of the 3 shards");
  says(message({8, 4, 3, 3}), "leave none to be routed");
  DecoderConfig biased = dense;
  biased.mlp_bias = true;
  says(test::error_message([&] { plan_upcycle(biased, options_of({6, 3, 4, 1})); }), "shared experts have no biases");
  says(message({8, 2, 1, 0, 4}), "upcycle.every: every=4 leaves none of the 3 layers");
  says(message({8, 1, 1}), "the router would learn nothing");
  EXPECT_EQ(message({8, 1, 1}, "softmax_then_topk"), "no error");
}

TEST(UpcycleErrorTest, FoldersThatAreNotDenseModels) {
  const test::TemporaryFolder folder;
  const auto message = [&] { return test::error_message([&] { DenseModel(folder / "dense"); }); };
  const auto says = [&](const std::string& part) { EXPECT_NE(message().find(part), std::string::npos) << message(); };
  test::save_random_decoder(test::tiny_config(), folder / "dense");
  says("not a dense model: 3 of 3 layers are mixtures of 5 experts");
  test::save_random_decoder(test::tiny_dense_config(), folder / "dense");
  EXPECT_EQ(message(), "no error");

  const auto rewrite = [&](const std::function<bool(TensorToStore&)>& keep, const std::string& extra) {
    test::save_random_decoder(test::tiny_dense_config(), folder / "dense");
    std::vector<std::vector<float>> values;
    std::vector<TensorToStore> tensors;
    {
      const SafetensorsReader reader(folder / "dense");
      for (const auto& [name, stored] : reader.tensors()) {
        values.emplace_back(static_cast<std::size_t>(stored.numel()));
        reader.read_f32(name, stored.shape, values.back());
        TensorToStore one{name, stored.shape, values.back()};
        if (keep(one)) tensors.push_back(one);
      }
    }
    if (!extra.empty()) tensors.push_back({extra, tensors.front().shape, tensors.front().values});
    write_safetensors(folder / "dense" / "model.safetensors", tensors);
  };
  rewrite([](const TensorToStore& one) { return one.name != "model.layers.2.input_layernorm.weight"; }, "more");
  says("model.layers.2.input_layernorm.weight");
  rewrite([](const TensorToStore&) { return true; }, "more");
  says("has no place for 'more'");
  rewrite(
      [](TensorToStore& one) {
        if (one.name == "model.layers.1.mlp.up_proj.weight") std::swap(one.shape[0], one.shape[1]);
        return true;
      },
      "");
  const std::string late = test::error_message([&] {
    upcycle(folder / "dense", options_of({4, 2, 1}), folder / "sparse");
  });
  EXPECT_NE(late.find("tensor 'model.layers.1.mlp.up_proj.weight': shape [16, 24], expected [24, 16]"),
            std::string::npos)
      << late;
  EXPECT_FALSE(std::filesystem::exists(folder / "sparse"));
}

TEST(UpcycleErrorTest, OutputThatExistsAndDisksThatAreFull) {
  const test::TemporaryFolder folder;
  test::save_random_decoder(test::tiny_dense_config(), folder / "dense");
  std::filesystem::create_directory(folder / "sparse");
  const std::string exists = test::error_message([&] {
    upcycle(folder / "dense", options_of({4, 2, 1}), folder / "sparse");
  });
  EXPECT_NE(exists.find("exists; choose another folder"), std::string::npos) << exists;
  const std::string full =
      test::error_message([&] { require_disk_space(folder / "not" / "yet", std::int64_t{1} << 60); });
  EXPECT_NE(full.find("are free"), std::string::npos) << full;
  require_disk_space(folder / "not" / "yet", 1);
}

}  // namespace upcycle_test
}  // namespace witan
