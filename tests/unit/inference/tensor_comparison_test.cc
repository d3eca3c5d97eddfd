// compare_dumps and compare_weights: what differs most, where, and what counts as the same; dumps through files.
#include "inference/tensor_comparison.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "base/file.h"
#include "formats/safetensors.h"
#include "inference/dump_file.h"
#include "models/checkpoint_folder.h"
#include "models/convert_folder.h"
#include "support/error_message.h"
#include "support/temporary_folder.h"
#include "support/tiny_models.h"

namespace witan {
namespace tensor_comparison_test {

const std::filesystem::path kGoldens = std::filesystem::path(WITAN_TEST_DATA) / "golden" / "checkpoints";

TensorDump dump_of(std::vector<DumpedTensor> tensors) { return {"x", {1, 2}, {}, std::move(tensors)}; }

TEST(TensorComparisonTest, NamesTheLargestDifferenceAndItsPlace) {
  const TensorDump a = dump_of({{"embedding", {2, 2}, {1, 2, 3, 4}}, {"logits", {2}, {10, 20}}});
  const TensorDump b = dump_of({{"embedding", {2, 2}, {1, 2, 3, 4}}, {"logits", {2}, {10, 20.5F}}});
  const TensorComparison comparison = compare_dumps(a, b, 1e-3);
  ASSERT_EQ(comparison.tensors.size(), 2U);
  EXPECT_FALSE(comparison.tensors[0].beyond);
  EXPECT_EQ(comparison.tensors[0].index, -1);
  const TensorDifference& logits = comparison.tensors[1];
  EXPECT_TRUE(logits.beyond);
  EXPECT_EQ(logits.absolute, 0.5);
  EXPECT_EQ(logits.relative, 0.5 / 20.5);
  EXPECT_EQ(logits.index, 1);
  EXPECT_EQ(logits.a, 20.0);
  EXPECT_EQ(logits.b, 20.5);
  EXPECT_EQ(comparison.first_beyond(), &logits);
  EXPECT_EQ(compare_dumps(a, b, 0.1).first_beyond(), nullptr);
}

TEST(TensorComparisonTest, WhatIsNoNumberIsBeyondAnyTolerance) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const float infinity = std::numeric_limits<float>::infinity();
  for (const float other : {nan, infinity}) {
    const TensorComparison comparison =
        compare_dumps(dump_of({{"x", {2}, {1, 2}}}), dump_of({{"x", {2}, {1, other}}}), 1e30);
    EXPECT_TRUE(comparison.tensors[0].beyond);
    EXPECT_TRUE(std::isinf(comparison.tensors[0].absolute));
    EXPECT_EQ(comparison.tensors[0].index, 1);
  }
  EXPECT_FALSE(
      compare_dumps(dump_of({{"x", {1}, {infinity}}}), dump_of({{"x", {1}, {infinity}}}), 0).tensors[0].beyond);
}

TEST(TensorComparisonTest, ChoicesAreSetsAndTheirWeightsFollowThem) {
  const TensorDump a = dump_of({{"layers.0.moe.topk_index", {3, 2}, {0, 1, 2, 3, 1, -1}},
                                {"layers.0.moe.topk_weight", {3, 2}, {0.7F, 0.3F, 0.6F, 0.4F, 1, 0}}});
  const TensorDump b = dump_of({{"layers.0.moe.topk_index", {3, 2}, {1, 0, 2, 4, 1, -1}},
                                {"layers.0.moe.topk_weight", {3, 2}, {0.3F, 0.7F, 0.9F, 0.1F, 0.5F, 0}}});
  const TensorComparison comparison = compare_dumps(a, b, 1e-3);
  EXPECT_TRUE(comparison.tensors[0].choices);
  EXPECT_EQ(comparison.tensors[0].rows_chosen_otherwise, 1);
  EXPECT_EQ(comparison.tensors[0].first_row, 1);
  EXPECT_TRUE(comparison.tensors[0].beyond);
  EXPECT_NEAR(comparison.tensors[1].absolute, 0.5, 1e-6);  // of the last row: the other choice is counted elsewhere
  EXPECT_EQ(index_text(std::vector<std::int64_t>{3, 2}, comparison.tensors[1].index), "[2, 0]");
}

TEST(TensorComparisonTest, ChoicesThatAreNoRowsAreNumbers) {
  const TensorDump a = dump_of({{"layers.0.moe.topk_index", {3}, {0, 1, 2}}});
  const TensorDump b = dump_of({{"layers.0.moe.topk_index", {3}, {0, 4, 2}}});
  const TensorDifference difference = compare_dumps(a, b, 1e-3).tensors.at(0);
  EXPECT_FALSE(difference.choices);
  EXPECT_TRUE(difference.beyond);
  EXPECT_EQ(difference.index, 1);
  EXPECT_EQ(difference.absolute, 3.0);
}

TEST(TensorComparisonTest, ShapesAndNamesOfOneSide) {
  const TensorDump a = dump_of({{"embedding", {2}, {1, 2}}, {"logits", {1}, {1}}});
  const TensorDump b = dump_of({{"embedding", {1, 2}, {1, 2}}, {"final_norm", {1}, {1}}});
  const TensorComparison comparison = compare_dumps(a, b, 1e-3);
  EXPECT_EQ(comparison.tensors.at(0).other_shape, "[1, 2]");
  EXPECT_TRUE(comparison.tensors.at(0).beyond);
  EXPECT_EQ(comparison.only_a, std::vector<std::string>{"logits"});
  EXPECT_EQ(comparison.only_b, std::vector<std::string>{"final_norm"});
}

TEST(DumpFileTest, ComesBackAsItWas) {
  const test::TemporaryFolder folder;
  Decoder model(test::tiny_config(), 3);
  const TensorDump dump = dump_pass(model, std::vector<std::int32_t>{1, 2, 3}, dump_names(model.config()));
  write_dump(folder / "a.safetensors", dump);
  const TensorDump back = read_dump(folder / "a.safetensors");
  EXPECT_EQ(back.model_type, dump.model_type);
  EXPECT_EQ(back.tokens, dump.tokens);
  ASSERT_EQ(back.tensors.size(), dump.tensors.size());
  for (std::size_t i = 0; i < dump.tensors.size(); ++i) {
    EXPECT_EQ(back.tensors[i].name, dump.tensors[i].name);
    EXPECT_EQ(back.tensors[i].shape, dump.tensors[i].shape);
    EXPECT_EQ(back.tensors[i].values, dump.tensors[i].values);
  }
  EXPECT_EQ(SafetensorsReader(folder / "a.safetensors").tensor("layers.0.moe.topk_index").dtype, DType::kI32);
}

TEST(DumpFileTest, ReadsWhatAReferenceSays) {
  const TensorDump decoder = read_dump(kGoldens / "deepseek_v3" / "expected.json");
  ASSERT_NE(decoder.find("layers.1.moe.topk_index"), nullptr);  // layer 0 is dense
  EXPECT_EQ(decoder.find("logits")->shape.front(), static_cast<std::int64_t>(decoder.tokens.size()));
  const TensorDump both = read_dump(kGoldens / "switch_transformers" / "expected.json");
  EXPECT_FALSE(both.output_tokens.empty());
  EXPECT_NE(both.find("encoder.final_norm"), nullptr);
  EXPECT_NE(both.find("decoder.layers.3.moe.topk_weight"), nullptr);
}

TEST(DumpFileTest, NamesWhatIsWrongInAFile) {
  const test::TemporaryFolder folder;
  const auto message = [&](const std::string& json) {
    write_file(folder / "x.json", json);
    return test::error_message([&] { read_dump(folder / "x.json"); });
  };
  EXPECT_NE(message("{}").find("'prompts' is missing"), std::string::npos);
  EXPECT_NE(message(R"({"prompts": []})").find("prompts"), std::string::npos);
  EXPECT_NE(message(R"({"prompts": [[1]]})").find("logits_all_first_prompt"), std::string::npos);
  EXPECT_NE(message(R"({"prompts": [[1]], "logits_all_first_prompt": [[1], [1, 2]]})").find("one length"),
            std::string::npos);
  EXPECT_NE(message(R"({"prompts": [[1]], "logits_all_first_prompt": [[1]], "router": [{"layer": "mlp"}]})")
                .find("'mlp' names no layer"),
            std::string::npos);
  EXPECT_NE(message(R"({"prompts": [[-1]], "logits_all_first_prompt": [[1]]})").find("no token id"), std::string::npos);
}

TEST(CompareWeightsTest, DTypesAreNumbersAndChangesAreFound) {
  const test::TemporaryFolder folder;
  std::filesystem::create_directory(folder / "a");
  std::filesystem::create_directory(folder / "b");
  Decoder model(test::tiny_config(), 3);
  save_model(model, folder / "a");
  save_model(model, folder / "b", DType::kBF16);
  const TensorComparison rounded = compare_weights(folder / "a", folder / "b", 0.0);
  EXPECT_NE(rounded.first_beyond(), nullptr);
  EXPECT_EQ(compare_weights(folder / "a", folder / "b", 0.01).first_beyond(), nullptr);
  EXPECT_EQ(compare_weights(folder / "a", folder / "a", 0.0).first_beyond(), nullptr);
  for (const Parameter& parameter : model.parameters()) {
    if (parameter.name == "model.layers.1.self_attn.q_proj.weight") parameter.value.values()[5] += 3.0F;
  }
  save_model(model, folder / "b");
  const TensorComparison changed = compare_weights(folder / "a", folder / "b", 1e-6);
  ASSERT_NE(changed.first_beyond(), nullptr);
  EXPECT_EQ(changed.first_beyond()->name, "model.layers.1.self_attn.q_proj.weight");
  EXPECT_EQ(changed.first_beyond()->index, 5);
}

TEST(CompareWeightsTest, PackedWeightsAreTheNumbersTheyStandFor) {
  const TensorComparison fp8 = compare_weights(kGoldens / "deepseek_v3_fp8", kGoldens / "deepseek_v3_fp8", 0.0);
  EXPECT_EQ(fp8.first_beyond(), nullptr);
  for (const TensorDifference& tensor : fp8.tensors) EXPECT_FALSE(tensor.name.ends_with("_scale_inv")) << tensor.name;
  const test::TemporaryFolder folder;
  convert_folder(kGoldens / "gpt_oss", folder.path(), {.dtype = "mxfp4"});
  const TensorComparison packed = compare_weights(kGoldens / "gpt_oss", folder.path(), 0.5);
  EXPECT_EQ(packed.first_beyond(), nullptr);
  bool seen = false;
  for (const TensorDifference& tensor : packed.tensors) {
    if (!tensor.name.ends_with("experts.gate_up_proj")) continue;
    seen = true;
    EXPECT_EQ(tensor.other_shape, "");  // stored the other way round, which is seen
    EXPECT_GT(tensor.absolute, 0.0);
  }
  EXPECT_TRUE(seen);
}

}  // namespace tensor_comparison_test
}  // namespace witan
