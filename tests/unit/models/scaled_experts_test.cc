// Experts that are stored together and in eight bits: the model is the one of the numbers that they stand for.
#include <gtest/gtest.h>

#include <cstring>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "base/json.h"
#include "formats/quantize.h"
#include "formats/safetensors.h"
#include "models/checkpoint_folder.h"
#include "support/compare.h"
#include "support/temporary_folder.h"
#include "support/tiny_models.h"

namespace witan {
namespace scaled_experts_test {

constexpr std::int64_t kBlockRows = 4;
constexpr std::int64_t kBlockCols = 5;

struct Scaled {
  std::vector<std::byte> values;
  std::vector<float> scales;
};

bool holds_experts(const StoredTensor& tensor, const std::string& name) {
  const bool named = name.find("experts") != std::string::npos && !name.ends_with("_bias");
  return tensor.shape.size() == 3 || (named && tensor.shape.size() == 2);
}

// Of a stack of matrices, or of one.
Scaled scaled(const std::vector<std::int64_t>& shape, std::span<const float> numbers) {
  const std::int64_t rows = shape[shape.size() - 2];
  const std::int64_t cols = shape.back();
  const auto size = static_cast<std::size_t>(rows * cols);
  Scaled result;
  for (std::size_t at = 0; at < numbers.size(); at += size) {
    const ScaledBlocks blocks = to_scaled_blocks(numbers.subspan(at, size), rows, cols, kBlockRows, kBlockCols);
    result.values.insert(result.values.end(), blocks.values.begin(), blocks.values.end());
    result.scales.insert(result.scales.end(), blocks.scales.begin(), blocks.scales.end());
  }
  return result;
}

// Rewrites the experts of a folder. Returns how many tensors that are.
int scale_experts(const std::filesystem::path& folder) {
  std::vector<TensorToStore> tensors;
  int count = 0;
  {
    const SafetensorsReader reader(folder);
    for (const auto& [name, stored] : reader.tensors()) {
      TensorToStore tensor{name, stored.shape, {}, DType::kF32};
      std::vector<float> numbers(static_cast<std::size_t>(stored.numel()));
      reader.read_f32(name, stored.shape, numbers);
      if (holds_experts(stored, name)) {
        ++count;
        const Scaled eight = scaled(stored.shape, numbers);
        tensor.dtype = DType::kF8E4M3;
        tensor.fill_bytes = [values = eight.values](std::span<std::byte> out) {
          std::memcpy(out.data(), values.data(), out.size());
        };
        std::vector<std::int64_t> shape = stored.shape;
        shape[shape.size() - 2] = num_blocks(shape[shape.size() - 2], kBlockRows);
        shape.back() = num_blocks(shape.back(), kBlockCols);
        TensorToStore scales{name + "_scale_inv", shape, {}, DType::kF32};
        scales.fill = [values = eight.scales](std::span<float> out) { std::ranges::copy(values, out.begin()); };
        tensors.push_back(std::move(scales));
      } else {
        tensor.fill = [numbers](std::span<float> out) { std::ranges::copy(numbers, out.begin()); };
      }
      tensors.push_back(std::move(tensor));
    }
  }
  write_safetensors(folder / "model.safetensors", tensors);
  nlohmann::json config = read_json_file(folder / "config.json");
  config["quantization_config"] = {{"quant_method", "fp8"}, {"weight_block_size", {kBlockRows, kBlockCols}}};
  write_file(folder / "config.json", config.dump());
  return count;
}

// A bank is the numbers of the file's tensor in some order: scales multiply before anything is cut or turned.
std::vector<float> sorted_values(const Decoder& model, bool experts) {
  std::vector<float> values;
  for (const Parameter& parameter : model.parameters()) {
    const bool is_expert =
        parameter.name.find("mlp.experts.") != std::string::npos && !parameter.name.ends_with("_bias");
    if (is_expert != experts) continue;
    values.insert(values.end(), parameter.value.values().begin(), parameter.value.values().end());
  }
  std::ranges::sort(values);
  return values;
}

class ScaledExpertsTest : public testing::TestWithParam<std::string> {};

TEST_P(ScaledExpertsTest, AreTheNumbersTheyStandFor) {
  for (const test::NamedConfig& named : test::tiny_configs()) {
    if (named.model_type != GetParam()) continue;
    const test::TemporaryFolder folder;
    save_model(Decoder(named.config, 5), folder.path());
    const std::unique_ptr<Decoder> wide = load_model(folder.path());
    ASSERT_GT(scale_experts(folder.path()), 0);
    const std::unique_ptr<Decoder> eight = load_model(folder.path());

    // What the file says, by the definition of the format.
    const test::TemporaryFolder plain;
    save_model(*eight, plain.path());
    const SafetensorsReader stored(folder.path());
    const SafetensorsReader decoded(plain.path());
    for (const auto& [name, tensor] : decoded.tensors()) {
      if (!holds_experts(tensor, name)) continue;
      const StoredTensor& raw = stored.tensor(name);
      const StoredTensor& scales = stored.tensor(name + "_scale_inv");
      std::vector<float> expected(static_cast<std::size_t>(raw.numel()));
      std::vector<float> factors(static_cast<std::size_t>(scales.numel()));
      std::vector<float> actual(expected.size());
      to_floats(raw.dtype, raw.bytes, expected);
      to_floats(scales.dtype, scales.bytes, factors);
      to_floats(tensor.dtype, tensor.bytes, actual);
      const std::int64_t rows = raw.shape[raw.shape.size() - 2];
      const std::int64_t cols = raw.shape.back();
      const std::int64_t down = num_blocks(rows, kBlockRows);
      const std::int64_t across = num_blocks(cols, kBlockCols);
      for (std::int64_t i = 0; i < raw.numel(); ++i) {
        const std::int64_t matrix = i / (rows * cols);
        const std::int64_t row = i / cols % rows;
        const std::int64_t block = (matrix * down + row / kBlockRows) * across + i % cols / kBlockCols;
        expected[static_cast<std::size_t>(i)] *= factors[static_cast<std::size_t>(block)];
      }
      EXPECT_TRUE(test::identical(actual, expected)) << name;
    }
    EXPECT_TRUE(test::identical(sorted_values(*eight, false), sorted_values(*wide, false)));
    EXPECT_FALSE(test::identical(sorted_values(*eight, true), sorted_values(*wide, true)));
  }
}

INSTANTIATE_TEST_SUITE_P(Stacked, ScaledExpertsTest, testing::Values("dbrx", "granitemoe", "gpt_oss", "mixtral"),
                         [](const auto& given) { return given.param; });

}  // namespace scaled_experts_test
}  // namespace witan
