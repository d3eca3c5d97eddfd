// dump_pass: the names that dump_names promises, in the order of the graph, and values that add up to the model's.
#include "inference/tensor_dump.h"

#include <gtest/gtest.h>

#include <cmath>

#include "models/encoder_decoder_folder.h"
#include "support/error_message.h"
#include "support/released_goldens.h"
#include "support/tiny_models.h"

namespace witan {
namespace tensor_dump_test {

using Ids = std::vector<std::int32_t>;

const Ids kIds = {3, 1, 4, 1, 5, 9, 2, 6};

std::vector<std::string> names_of(const TensorDump& dump) {
  std::vector<std::string> names;
  for (const DumpedTensor& tensor : dump.tensors) names.push_back(tensor.name);
  return names;
}

// a + b - c is nothing but rounding.
void expect_sum(const DumpedTensor& a, const DumpedTensor& b, const DumpedTensor& c, const std::string& where) {
  ASSERT_EQ(a.shape, c.shape);
  for (std::size_t i = 0; i < a.values.size(); ++i) {
    ASSERT_NEAR(a.values[i] + b.values[i], c.values[i], 1e-4F * (1.0F + std::fabs(c.values[i]))) << where << " " << i;
  }
}

TEST(TensorDumpTest, EveryArchitectureGivesTheNamesItPromises) {
  for (const test::NamedConfig& named : test::tiny_configs()) {
    Decoder model(named.config, 7);
    const std::vector<std::string> names = dump_names(named.config);
    const TensorDump dump = dump_pass(model, kIds, names);
    EXPECT_EQ(names_of(dump), names) << named.name;
    for (const DumpedTensor& tensor : dump.tensors) {
      std::int64_t count = 1;
      for (const std::int64_t size : tensor.shape) count *= size;
      EXPECT_EQ(static_cast<std::size_t>(count), tensor.values.size()) << named.name << " " << tensor.name;
      EXPECT_EQ(tensor.shape.front(), 8) << named.name << " " << tensor.name;
    }
  }
}

TEST(TensorDumpTest, TheResidualStreamIsWhatItsPartsAdd) {
  DecoderConfig config = test::tiny_config();
  config.decoder_sparse_step = 2;  // layers 0 and 2 are dense
  Decoder model(config, 7);
  const TensorDump dump = dump_pass(model, kIds, dump_names(config));
  const DumpedTensor* before = dump.find("embedding");
  for (int layer = 0; layer < 3; ++layer) {
    const std::string prefix = "layers." + std::to_string(layer) + ".";
    DumpedTensor middle = *before;
    const DumpedTensor& attention = *dump.find(prefix + "attention");
    for (std::size_t i = 0; i < middle.values.size(); ++i) middle.values[i] += attention.values[i];
    const bool sparse = layer == 1;
    EXPECT_EQ(dump.find(prefix + "moe.router") != nullptr, sparse);
    const DumpedTensor& added = *dump.find(prefix + (sparse ? "moe.output" : "mlp.output"));
    const DumpedTensor& output = *dump.find(prefix + "output");
    expect_sum(middle, added, output, prefix);
    before = &output;
  }
}

TEST(TensorDumpTest, LogitsAndChoicesAreTheModels) {
  const DecoderConfig config = test::tiny_config();
  Decoder model(config, 7);
  const TensorDump dump =
      dump_pass(model, kIds, {"layers.1.moe.router", "layers.1.moe.topk_index", "layers.1.moe.topk_weight", "logits"});
  Tape off;
  const Tensor logits = model.logits(model.forward(off, kIds, 1, 8, {}).hidden);
  EXPECT_TRUE(std::ranges::equal(dump.find("logits")->values, logits.values()));
  const DumpedTensor& scores = *dump.find("layers.1.moe.router");
  const DumpedTensor& chosen = *dump.find("layers.1.moe.topk_index");
  const DumpedTensor& weights = *dump.find("layers.1.moe.topk_weight");
  EXPECT_EQ(scores.shape, (std::vector<std::int64_t>{8, 5}));
  EXPECT_EQ(chosen.shape, (std::vector<std::int64_t>{8, 2}));
  for (std::size_t row = 0; row < 8; ++row) {
    const auto score = [&](std::size_t rank) {
      return scores.values[row * 5 + static_cast<std::size_t>(chosen.values[row * 2 + rank])];
    };
    EXPECT_GE(score(0), score(1));
    int larger = 0;
    for (std::size_t e = 0; e < 5; ++e) larger += scores.values[row * 5 + e] > score(1) ? 1 : 0;
    EXPECT_EQ(larger, 1);
    EXPECT_NEAR(weights.values[row * 2] + weights.values[row * 2 + 1], 1.0F, 1e-5F);
    EXPECT_NEAR(weights.values[row * 2], 1.0F / (1.0F + std::exp(score(1) - score(0))), 1e-5F);
  }
}

TEST(TensorDumpTest, AnEncoderDecoderHasBothSides) {
  const auto folder = test::golden_checkpoint("switch_transformers");
  const auto model = load_encoder_decoder(folder);
  const std::vector<std::string> names = dump_names(model->config());
  Ids output(12, 7);  // more of the same token than the 8 that an expert serves
  output.front() = 0;
  const TensorDump dump = dump_pass(*model, kIds, output, names);
  EXPECT_EQ(names_of(dump), names);
  EXPECT_EQ(dump.output_tokens, output);
  Translation translation = model->start(model->encode(kIds));
  const Tensor logits = model->logits(model->decode(output, translation));
  EXPECT_TRUE(std::ranges::equal(dump.find("logits")->values, logits.values()));
  const DumpedTensor& cross = *dump.find("decoder.layers.1.cross_attention");
  EXPECT_EQ(cross.shape, (std::vector<std::int64_t>{12, 64}));
  const DumpedTensor& index = *dump.find("decoder.layers.1.moe.topk_index");
  const DumpedTensor& weight = *dump.find("decoder.layers.1.moe.topk_weight");
  const DumpedTensor& said = *dump.find("decoder.layers.1.moe.output");
  ASSERT_EQ(index.shape, (std::vector<std::int64_t>{12, 1}));
  for (std::size_t row = 0; row < 12; ++row) {
    EXPECT_GE(index.values[row], 0.0F);  // a dropped choice is still named
    float magnitude = 0.0F;
    for (std::size_t i = 0; i < 64; ++i) magnitude += std::fabs(said.values[row * 64 + i]);
    EXPECT_EQ(weight.values[row] == 0.0F, magnitude == 0.0F) << row;
  }
}

TEST(TensorDumpTest, PatternsSelectInTheOrderOfTheGraph) {
  const std::vector<std::string> names = dump_names(test::tiny_config());
  EXPECT_EQ(select_names(names, {"logits", "layers.*.output", "embedding"}),
            (std::vector<std::string>{"embedding", "layers.0.moe.output", "layers.0.output", "layers.1.moe.output",
                                      "layers.1.output", "layers.2.moe.output", "layers.2.output", "logits"}));
  EXPECT_EQ(select_names(names, {"layers.[02].attention", "layers.0.attention"}),
            (std::vector<std::string>{"layers.0.attention", "layers.2.attention"}));
  const std::string message = test::error_message([&] { select_names(names, {"embedding", "layers.1.moe.ruoter"}); });
  EXPECT_NE(message.find("did you mean 'layers.1.moe.router'"), std::string::npos) << message;
}

TEST(TensorDumpTest, PositionsOrderNamesOfAnyOrigin) {
  EXPECT_LT(graph_position("embedding"), graph_position("layers.0.attention"));
  EXPECT_LT(graph_position("layers.9.output"), graph_position("layers.10.attention"));
  EXPECT_LT(graph_position("layers.10.output"), graph_position("final_norm"));
  EXPECT_LT(graph_position("encoder.final_norm"), graph_position("decoder.embedding"));
  EXPECT_LT(graph_position("decoder.final_norm"), graph_position("logits"));
  EXPECT_LT(graph_position("logits"), graph_position("something else"));
}

}  // namespace tensor_dump_test
}  // namespace witan
