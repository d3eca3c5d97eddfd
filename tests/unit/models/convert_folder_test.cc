// convert_folder: every golden checkpoint in every dtype still loads, and holds the numbers that the dtype can hold.
#include "models/convert_folder.h"

#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "base/json.h"
#include "formats/safetensors.h"
#include "inference/tensor_comparison.h"
#include "models/checkpoint_folder.h"
#include "models/encoder_decoder_folder.h"
#include "support/error_message.h"
#include "support/temporary_folder.h"
#include "support/tiny_models.h"

namespace witan {
namespace convert_folder_test {

const std::filesystem::path kGoldens = std::filesystem::path(WITAN_TEST_DATA) / "golden" / "checkpoints";

ConvertOptions to(const std::string& dtype) { return {.dtype = dtype}; }

// The largest |a - b| over all parameters, relative to the largest magnitude of its tensor.
double distance(const Decoder& a, const Decoder& b) {
  double worst = 0.0;
  const std::vector<Parameter> others = b.parameters();
  const std::vector<Parameter> parameters = a.parameters();
  EXPECT_EQ(parameters.size(), others.size());
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    const auto values = parameters[i].value.values();
    const auto other = others[i].value.values();
    double largest = 1e-30;
    double difference = 0.0;
    for (std::size_t j = 0; j < values.size(); ++j) {
      largest = std::max(largest, std::fabs(static_cast<double>(values[j])));
      difference = std::max(difference, std::fabs(static_cast<double>(values[j]) - static_cast<double>(other[j])));
    }
    worst = std::max(worst, difference / largest);
  }
  return worst;
}

double converted_distance(const std::string& name, const ConvertOptions& options) {
  const test::TemporaryFolder folder;
  convert_folder(kGoldens / name, folder.path(), options);
  return distance(*load_model(kGoldens / name), *load_model(folder.path()));
}

TEST(ConvertFolderTest, PlainFloatsOfEveryLayout) {
  for (const char* const name : {"mixtral", "dbrx", "deepseek_v3", "deepseek_v3_fp8", "gpt_oss", "gpt_oss_mxfp4"}) {
    EXPECT_EQ(converted_distance(name, to("f32")), 0.0) << name;
    EXPECT_LE(converted_distance(name, to("bf16")), 0x1p-8) << name;
  }
  EXPECT_EQ(converted_distance("mixtral", to("bf16")), 0.0);  // what it is stored as
  EXPECT_LE(converted_distance("olmoe", to("f16")), 0x1p-10);
}

TEST(ConvertFolderTest, EightBitsWithScales) {
  for (const char* const name : {"mixtral", "olmoe", "qwen2_moe", "deepseek_v3", "phimoe", "granitemoe", "dbrx"}) {
    const double away = converted_distance(name, to("f8_e4m3"));
    EXPECT_GT(away, 0.0) << name;
    EXPECT_LE(away, 0x1p-4) << name;
  }
  const test::TemporaryFolder folder;
  const ConvertedSize size = convert_folder(kGoldens / "qwen2_moe", folder.path(), to("f8_e4m3"));
  EXPECT_GT(size.quantized, 0);
  const SafetensorsReader reader(folder.path());
  EXPECT_EQ(reader.tensor("model.layers.0.self_attn.q_proj.weight").dtype, DType::kF8E4M3);
  EXPECT_TRUE(reader.contains("model.layers.0.self_attn.q_proj.weight_scale_inv"));
  for (const char* const plain : {"model.embed_tokens.weight", "model.norm.weight", "model.layers.0.mlp.gate.weight",
                                  "model.layers.0.mlp.shared_expert_gate.weight"}) {
    EXPECT_EQ(reader.tensor(plain).dtype, DType::kF32) << plain;
  }
  const nlohmann::json config = read_json_file(folder / "config.json");
  EXPECT_EQ(config.at("quantization_config").at("quant_method"), "fp8");
  const nlohmann::json& kept = config.at("quantization_config").at("modules_to_not_convert");
  EXPECT_NE(std::ranges::find(kept, "model.layers.0.mlp.gate"), kept.end());
}

TEST(ConvertFolderTest, ConvertingTwiceChangesNothingMore) {
  const test::TemporaryFolder once;
  const test::TemporaryFolder twice;
  convert_folder(kGoldens / "deepseek_v3_fp8", once.path(), to("f32"));
  convert_folder(once.path(), twice.path(), to("f8_e4m3"));
  // The scales are made anew: the largest of a block may lie elsewhere than at 448 in the release.
  EXPECT_LE(distance(*load_model(kGoldens / "deepseek_v3_fp8"), *load_model(twice.path())), 0x1p-4);
  EXPECT_EQ(SafetensorsReader(once.path()).tensor("model.layers.1.self_attn.o_proj.weight").dtype, DType::kF32);
  EXPECT_FALSE(read_json_file(once / "config.json").contains("quantization_config"));
}

TEST(ConvertFolderTest, FourBitExperts) {
  const test::TemporaryFolder folder;
  const ConvertedSize size = convert_folder(kGoldens / "gpt_oss", folder.path(), to("mxfp4"));
  EXPECT_EQ(size.quantized, 2 * load_config(kGoldens / "gpt_oss").num_hidden_layers);
  const double away = distance(*load_model(kGoldens / "gpt_oss"), *load_model(folder.path()));
  EXPECT_GT(away, 0.0);
  EXPECT_LE(away, 0.26);  // a quarter of the largest at 8, which becomes 6
  // What is stored so already comes back bit by bit.
  EXPECT_EQ(converted_distance("gpt_oss_mxfp4", to("mxfp4")), 0.0);
  EXPECT_NE(test::error_message([] { converted_distance("mixtral", to("mxfp4")); }).find("gpt_oss"), std::string::npos);
}

TEST(ConvertFolderTest, EncoderDecodersAndShards) {
  const test::TemporaryFolder folder;
  ConvertOptions options = to("f8_e4m3");
  options.shard_bytes = 200'000;
  convert_folder(kGoldens / "switch_transformers", folder.path(), options);
  EXPECT_TRUE(std::filesystem::exists(folder / "model.safetensors.index.json"));
  const auto before = load_encoder_decoder(kGoldens / "switch_transformers");
  const auto after = load_encoder_decoder(folder.path());
  const std::vector<std::int32_t> ids = {5, 9, 17, 33};
  const Tensor a = before->encode(ids);
  const Tensor b = after->encode(ids);
  double difference = 0.0;
  for (std::size_t i = 0; i < a.values().size(); ++i) {
    difference = std::max(difference, static_cast<double>(std::fabs(a.values()[i] - b.values()[i])));
  }
  EXPECT_GT(difference, 0.0);  // and not bounded: a router may choose otherwise
  EXPECT_TRUE(std::isfinite(difference));
  EXPECT_EQ(compare_weights(kGoldens / "switch_transformers", folder.path(), 0.07).first_beyond(), nullptr);
}

TEST(ConvertFolderTest, OtherFilesComeAlong) {
  const test::TemporaryFolder from;
  const test::TemporaryFolder folder;
  save_model(Decoder(test::tiny_config(), 1), from.path());
  write_file(from / "tokenizer.json", "{}");
  convert_folder(from.path(), folder.path(), to("bf16"));
  EXPECT_EQ(read_text_file(folder / "tokenizer.json"), "{}");
  EXPECT_EQ(read_text_file(folder / "generation_config.json"), read_text_file(from / "generation_config.json"));
  EXPECT_EQ(read_json_file(folder / "config.json").at("torch_dtype"), "bfloat16");
}

TEST(ConvertFolderTest, NamesWhatCannotBeConverted) {
  const auto message = [](const std::string& dtype, float value) {
    const test::TemporaryFolder from;
    const test::TemporaryFolder folder;
    Decoder model(test::tiny_config(), 1);
    model.parameters().front().value.values()[3] = value;
    save_model(model, from.path());
    return test::error_message([&] { convert_folder(from.path(), folder.path(), to(dtype)); });
  };
  EXPECT_NE(message("f16", 70000.0F).find("too large for f16"), std::string::npos);
  EXPECT_NE(message("bf16", NAN).find("is no number"), std::string::npos);
  EXPECT_NE(message("f16", INFINITY).find("is no number"), std::string::npos);
  EXPECT_NE(message("bf15", 1.0F).find("did you mean 'bf16'"), std::string::npos);
}

}  // namespace convert_folder_test
}  // namespace witan
