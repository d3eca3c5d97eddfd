// Dense models made of mixtures: the round trip is exact, and what cannot be dense is refused.
#include "models/upcycling/extract.h"

#include <gtest/gtest.h>

#include "base/file.h"
#include "formats/safetensors.h"
#include "models/upcycling/upcycle.h"
#include "support/compare.h"
#include "support/dense_folders.h"
#include "support/error_message.h"
#include "support/temporary_folder.h"

namespace witan {
namespace extract_test {

ExtractPlan extract(const std::filesystem::path& mixture, const ExtractOptions& options,
                    const std::filesystem::path& output) {
  const StoredWeights weights(mixture);
  const ExtractPlan plan = plan_extraction(weights.config(), options);
  write_extracted(weights, plan, options, output);
  return plan;
}

void expect_same_weights(const std::filesystem::path& actual, const std::filesystem::path& expected) {
  const SafetensorsReader a(actual);
  const SafetensorsReader b(expected);
  ASSERT_EQ(a.tensors().size(), b.tensors().size());
  for (const auto& [name, tensor] : b.tensors()) {
    ASSERT_TRUE(a.contains(name)) << name;
    EXPECT_EQ(a.tensor(name).dtype, tensor.dtype) << name;
    EXPECT_EQ(a.tensor(name).shape, tensor.shape) << name;
    EXPECT_TRUE(std::ranges::equal(a.tensor(name).bytes, tensor.bytes)) << name;
  }
}

TEST(ExtractTest, AnyExpertOfCopiesAndTheirMeanIsTheDenseModelBitForBit) {
  int architectures = 0;
  for (const test::NamedConfig& named : test::tiny_configs()) {
    if (named.config.num_moe_layers() > 0) continue;
    ++architectures;
    for (const DType dtype : {DType::kF32, DType::kBF16}) {
      const test::TemporaryFolder folder;
      test::save_random_decoder(named.config, folder / "dense", 5, dtype);
      const DenseModel dense(folder / "dense");
      UpcycleOptions upcycling;
      upcycling.experts = 5;
      const UpcyclePlan plan = plan_upcycle(dense.config(), upcycling);
      write_upcycled(dense, plan, upcycling, folder / "sparse");
      ExtractOptions options;
      options.expert = "3,0,4";
      const ExtractPlan back = extract(folder / "sparse", options, folder / "one");
      EXPECT_EQ(back.config.model_type, named.model_type) << named.name;
      expect_same_weights(folder / "one", folder / "dense");
      EXPECT_EQ(read_text_file(folder / "one" / "config.json"), read_text_file(folder / "dense" / "config.json"));
      options = {};
      options.mean = true;
      extract(folder / "sparse", options, folder / "mean");
      expect_same_weights(folder / "mean", folder / "dense");
    }
  }
  EXPECT_EQ(architectures, 6);
}

// The mixture with only that expert: all choices go to it, at weight 1.
std::vector<float> logits_with_expert(const std::filesystem::path& mixture, std::int64_t expert) {
  const std::unique_ptr<Decoder> model = load_model(mixture);
  for (const Parameter& parameter : model->parameters()) {
    if (parameter.name.find(".mlp.experts.") == std::string::npos) continue;
    const std::span<float> all = parameter.value.values();
    const std::size_t size = all.size() / static_cast<std::size_t>(model->config().moe.num_experts);
    const std::vector<float> one(
        all.begin() + static_cast<std::ptrdiff_t>(static_cast<std::size_t>(expert) * size),
        all.begin() + static_cast<std::ptrdiff_t>(static_cast<std::size_t>(expert + 1) * size));
    for (std::size_t at = 0; at < all.size(); at += size)
      std::copy(one.begin(), one.end(), all.begin() + static_cast<std::ptrdiff_t>(at));
  }
  return test::logits_of(*model);
}

// Of every layout of experts that released models have: one by one, stacked, transposed, joined.
TEST(ExtractTest, ComputesWhatTheMixtureDoesWhenAllItsExpertsAreThatOne) {
  int checked = 0;
  for (const test::NamedConfig& named : test::tiny_configs()) {
    const MoeOptions& moe = named.config.moe;
    const bool full_weight = moe.weighting == "topk_then_softmax" || moe.weighting == "sigmoid_topk_norm";
    if (named.config.num_moe_layers() == 0 || !full_weight || moe.router == "peer" || moe.swiglu_limit > 0.0 ||
        moe.router == "sparsemixer" || moe.cmr_gate || named.name == "gated_beside_plain_experts") {
      continue;
    }
    ++checked;
    const test::TemporaryFolder folder;
    test::save_random_decoder(named.config, folder / "mixture");
    ExtractOptions options;
    options.expert = "2";
    extract(folder / "mixture", options, folder / "dense");
    EXPECT_EQ(load_config(folder / "dense").num_moe_layers(), 0) << named.name;
    const std::vector<float> expected = logits_with_expert(folder / "mixture", 2);
    EXPECT_TRUE(test::near(test::logits_of(folder / "dense"), expected, 3e-4F * test::max_abs(expected))) << named.name;
  }
  EXPECT_GE(checked, 6);
}

TEST(ExtractTest, TheMeanIsTheMean) {
  const test::TemporaryFolder folder;
  const DecoderConfig config = test::tiny_config();
  test::save_random_decoder(config, folder / "mixture");
  ExtractOptions options;
  options.mean = true;
  extract(folder / "mixture", options, folder / "dense");
  const StoredWeights weights(folder / "dense");
  const std::unique_ptr<Decoder> mixture = load_model(folder / "mixture");
  const std::unique_ptr<Decoder> dense = load_model(folder / "dense");
  const auto find = [](Decoder& model, const std::string& name) {
    for (const Parameter& parameter : model.parameters()) {
      if (parameter.name == name) return parameter.value;
    }
    throw std::runtime_error("no " + name);
  };
  const Tensor all = find(*mixture, "model.layers.1.mlp.experts.up_proj");
  const Tensor one = find(*dense, "model.layers.1.mlp.up_proj");
  const auto size = static_cast<std::size_t>(one.numel());
  std::vector<float> expected(size);
  for (std::size_t i = 0; i < size; ++i) {
    double sum = 0.0;
    for (std::size_t e = 0; e < 5; ++e) sum += static_cast<double>(all.values()[e * size + i]);
    expected[i] = static_cast<float>(sum / 5.0);
  }
  EXPECT_TRUE(test::identical(one.values(), expected));
}

TEST(ExtractErrorTest, WhatHasNoSuchExpertOrNoDenseForm) {
  const auto message = [](const DecoderConfig& config, const ExtractOptions& options = {}) {
    return test::error_message([&] { plan_extraction(config, options); });
  };
  const auto says = [](const std::string& text, const std::string& part) {
    EXPECT_NE(text.find(part), std::string::npos) << text;
  };
  ExtractOptions options;
  options.expert = "5";
  says(message(test::tiny_config(), options), "extract.expert: 5 is no expert, expected 0 to 4");
  options.expert = "1,2";
  says(message(test::tiny_config(), options), "names 2 experts, expected one, or one for each of the 3 mixtures");
  options.expert = "one";
  says(message(test::tiny_config(), options), "one");
  says(message(test::tiny_dense_config()), "dense already");
  for (const test::NamedConfig& named : test::tiny_configs()) {
    if (named.name == "peer") says(message(named.config), "single neurons");
    if (named.name == "gated_beside_plain_experts")
      says(message(named.config), "dense layers are gated, the experts plain");
    if (named.name == "gpt_oss") says(message(named.config), "clamped unit");
    if (named.name != "qwen2_moe") continue;
    says(message(named.config), "--shared drop");
    options = {};
    options.shared = "drop";
    EXPECT_EQ(message(named.config, options), "no error");
  }
}

}  // namespace extract_test
}  // namespace witan
