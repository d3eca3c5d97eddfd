// Fewer bits: F8_E4M3 with scales of blocks and MXFP4 round to the nearest number they have, and reading them back
// gives those numbers.
#include "formats/quantize.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "base/random.h"
#include "formats/number_formats.h"
#include "formats/sharded_safetensors.h"
#include "formats/stored_values.h"
#include "support/temporary_folder.h"

namespace witan {
namespace quantize_test {

std::vector<float> normal(std::size_t count, float spread, std::uint64_t seed) {
  Random random(seed);
  std::vector<float> values(count);
  random.fill_normal(values, 0.0F, spread);
  return values;
}

// All finite numbers of F8_E4M3, ascending, with their codes.
std::vector<std::pair<float, int>> all_e4m3() {
  std::vector<std::pair<float, int>> numbers;
  for (int code = 0; code < 256; ++code) {
    const auto byte = static_cast<std::byte>(code);
    float value = 0.0F;
    to_floats(DType::kF8E4M3, {&byte, 1}, {&value, 1});
    if (!std::isnan(value) && code != 0x80) numbers.emplace_back(value, code);
  }
  std::ranges::sort(numbers);
  return numbers;
}

int to_e4m3(float value) {
  std::byte byte{};
  from_floats(DType::kF8E4M3, {&value, 1}, {&byte, 1});
  return static_cast<int>(byte);
}

TEST(EightBitTest, EveryNumberIsItsOwnCodeAndBetweenTwoTheNearestCounts) {
  const std::vector<std::pair<float, int>> numbers = all_e4m3();
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    const auto [value, code] = numbers[i];
    EXPECT_EQ(to_e4m3(value), code) << value;
    if (i + 1 == numbers.size()) continue;
    const auto [next, next_code] = numbers[i + 1];
    const float middle = 0.5F * (value + next);  // exact: both have few bits
    const int even = code % 2 == 0 ? code : next_code;
    const int at_middle = to_e4m3(middle);
    EXPECT_EQ(at_middle & 0x7F, even & 0x7F) << middle;  // zero keeps the sign
    if (middle != 0.0F) {
      EXPECT_EQ(to_e4m3(std::nextafter(middle, -1e9F)) & 0x7F, code & 0x7F) << middle;
    }
    if (middle != 0.0F) {
      EXPECT_EQ(to_e4m3(std::nextafter(middle, 1e9F)) & 0x7F, next_code & 0x7F) << middle;
    }
  }
}

TEST(EightBitTest, RowsWithoutColumnsAreNotCountedThrough) {
  const std::int64_t many = std::numeric_limits<std::int64_t>::max();
  for (const auto& [rows, cols] : {std::pair{many, std::int64_t{0}}, std::pair{std::int64_t{0}, many}}) {
    const ScaledBlocks blocks = to_scaled_blocks({}, rows, cols, 128, 128);
    EXPECT_TRUE(blocks.values.empty());
    EXPECT_TRUE(blocks.scales.empty());
  }
}

TEST(EightBitTest, SaturatesAndKeepsWhatIsNoNumber) {
  for (const float large : {449.0F, 464.0F, 480.0F, 1e30F, std::numeric_limits<float>::infinity()}) {
    EXPECT_EQ(to_e4m3(large), 0x7E);
    EXPECT_EQ(to_e4m3(-large), 0xFE);
  }
  EXPECT_EQ(to_e4m3(std::numeric_limits<float>::quiet_NaN()) & 0x7F, 0x7F);
  EXPECT_EQ(to_e4m3(-0.0F), 0x80);
  EXPECT_EQ(to_e4m3(1e-30F), 0);
}

TEST(ScaledBlocksTest, RoundsEachNumberToTheNearestOfItsBlock) {
  constexpr std::int64_t kRows = 7;
  constexpr std::int64_t kCols = 11;
  std::vector<float> matrix = normal(kRows * kCols, 3.0F, 1);
  for (std::int64_t row = 3; row < 6; ++row) {
    for (std::int64_t col = 4; col < 8; ++col) matrix[static_cast<std::size_t>(row * kCols + col)] = 0.0F;  // one block
  }
  const ScaledBlocks blocks = to_scaled_blocks(matrix, kRows, kCols, 3, 4);
  ASSERT_EQ(blocks.scales.size(), 9U);
  EXPECT_EQ(blocks.scales[4], 1.0F);
  std::vector<float> back(matrix.size());
  to_floats(DType::kF8E4M3, blocks.values, back);
  for (std::int64_t row = 0; row < kRows; ++row) {
    for (std::int64_t col = 0; col < kCols; ++col) {
      const auto i = static_cast<std::size_t>(row * kCols + col);
      const float scale = blocks.scales[static_cast<std::size_t>(row / 3 * 3 + col / 4)];
      const float unit = std::max(std::fabs(matrix[i]) / 16.0F, scale * 0x1p-10F);  // half a step of three bits
      EXPECT_NEAR(back[i] * scale, matrix[i], unit * 1.001F) << i;
    }
  }
  for (std::size_t block = 0; block < 9; ++block) {
    float largest = 0.0F;
    for (std::int64_t i = 0; i < kRows * kCols; ++i) {
      const auto of = static_cast<std::size_t>(i / kCols / 3 * 3 + i % kCols / 4);
      if (of == block) largest = std::max(largest, std::fabs(matrix[static_cast<std::size_t>(i)]));
    }
    if (largest > 0.0F) {
      EXPECT_FLOAT_EQ(blocks.scales[block], largest / 448.0F) << block;
    }
  }
}

TEST(Mxfp4Test, EveryNumberOfTheFormatSurvives) {
  const std::vector<float> magnitudes = {0.0F, 0.5F, 1.0F, 1.5F, 2.0F, 3.0F, 4.0F, 6.0F};
  for (const int exponent : {-126, -20, 0, 3, 100}) {
    std::vector<float> values;
    for (std::size_t i = 0; i < kMxfp4Block; ++i) {
      values.push_back(std::ldexp(magnitudes[i % 8] * (i < 16 ? 1.0F : -1.0F), exponent));
    }
    const Mxfp4Blocks packed = to_mxfp4(values);
    EXPECT_EQ(static_cast<int>(packed.scales[0]), exponent + 127);
    std::vector<float> back(values.size());
    mxfp4_to_floats(packed.blocks, packed.scales, back);
    EXPECT_EQ(back, values);
  }
}

TEST(Mxfp4Test, RoundsToTheNearestAndTiesToEven) {
  // With 4 among them the scale is 1.
  const std::vector<std::pair<float, float>> cases = {{0.25F, 0.0F}, {0.26F, 0.5F}, {0.75F, 1.0F}, {1.25F, 1.0F},
                                                      {1.3F, 1.5F},  {1.75F, 2.0F}, {2.5F, 2.0F},  {2.6F, 3.0F},
                                                      {3.5F, 4.0F},  {5.0F, 4.0F},  {5.1F, 6.0F},  {7.9F, 6.0F}};
  std::vector<float> values(kMxfp4Block, 4.0F);
  for (std::size_t i = 0; i < cases.size(); ++i) {
    values[i] = cases[i].first;
    values[i + cases.size()] = -cases[i].first;
  }
  const Mxfp4Blocks packed = to_mxfp4(values);
  EXPECT_EQ(static_cast<int>(packed.scales[0]), 127);
  std::vector<float> back(values.size());
  mxfp4_to_floats(packed.blocks, packed.scales, back);
  for (std::size_t i = 0; i < cases.size(); ++i) {
    EXPECT_EQ(back[i], cases[i].second) << cases[i].first;
    EXPECT_EQ(back[i + cases.size()], -cases[i].second) << cases[i].first;
  }
}

TEST(Mxfp4Test, ZerosAndTheSmallestNumbers) {
  std::vector<float> values(2 * kMxfp4Block, 0.0F);
  values[40] = 0x1p-130F;  // below what the smallest scale can hold
  const Mxfp4Blocks packed = to_mxfp4(values);
  std::vector<float> back(values.size(), 1.0F);
  mxfp4_to_floats(packed.blocks, packed.scales, back);
  EXPECT_TRUE(std::ranges::all_of(back, [](float value) { return std::fabs(value) <= 0x1p-127F; }));
  EXPECT_TRUE(to_mxfp4({}).blocks.empty());
}

TEST(ShardedSafetensorsTest, CutsTheListAndWritesAnIndex) {
  const std::vector<float> four = {1, 2, 3, 4};
  const std::vector<float> twenty(20, 5.0F);
  const std::vector<TensorToStore> tensors = {
      {"a", {4}, four}, {"b", {2, 2}, four}, {"c", {20}, twenty}, {"d", {4}, four}};
  const test::TemporaryFolder folder;
  write_sharded_safetensors(folder.path(), tensors, 40);  // a and b are 32 bytes, c alone is 80
  EXPECT_TRUE(std::filesystem::exists(folder / "model-00003-of-00003.safetensors"));
  EXPECT_FALSE(std::filesystem::exists(folder / "model.safetensors"));
  const SafetensorsReader reader(folder.path());
  EXPECT_EQ(reader.tensors().size(), 4U);
  EXPECT_TRUE(reader.tensor("b").file.ends_with("model-00001-of-00003.safetensors"));
  EXPECT_TRUE(reader.tensor("c").file.ends_with("model-00002-of-00003.safetensors"));
  std::vector<float> back(20);
  reader.read_f32("c", std::vector<std::int64_t>{20}, back);
  EXPECT_EQ(back, twenty);

  const test::TemporaryFolder whole;
  write_sharded_safetensors(whole.path(), tensors, 1 << 20);
  EXPECT_TRUE(std::filesystem::exists(whole / "model.safetensors"));
  EXPECT_EQ(SafetensorsReader(whole.path()).tensors().size(), 4U);
}

}  // namespace quantize_test
}  // namespace witan
