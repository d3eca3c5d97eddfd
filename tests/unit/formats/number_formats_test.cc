// Stored numbers to f32 and back: every half, every bfloat16, every eight-bit float, and the blocks of MXFP4.
#include "formats/number_formats.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "support/error_message.h"

namespace witan {
namespace number_formats_test {

std::vector<std::byte> bytes_of(std::initializer_list<int> values) {
  std::vector<std::byte> bytes;
  for (const int value : values) bytes.push_back(static_cast<std::byte>(value));
  return bytes;
}

TEST(NumberFormatsTest, EverySixteenBitFloatSurvivesTheWayThroughF32) {
  for (const DType dtype : {DType::kF16, DType::kBF16}) {
    std::vector<std::uint16_t> words(1 << 16);
    for (std::size_t i = 0; i < words.size(); ++i) words[i] = static_cast<std::uint16_t>(i);
    std::vector<float> floats(words.size());
    to_floats(dtype, std::as_bytes(std::span(words)), floats);
    std::vector<std::uint16_t> back(words.size());
    from_floats(dtype, floats, std::as_writable_bytes(std::span(back)));
    for (std::size_t i = 0; i < words.size(); ++i) {
      if (std::isnan(floats[i])) continue;
      ASSERT_EQ(back[i], words[i]) << dtype_name(dtype) << " " << floats[i];
    }
  }
}

TEST(NumberFormatsTest, RoundsToTheNearestAndTiesToEven) {
  const auto rounded = [](DType dtype, float value) {
    std::vector<std::byte> bytes(2);
    from_floats(dtype, {&value, 1}, bytes);
    float back = 0.0F;
    to_floats(dtype, bytes, {&back, 1});
    return back;
  };
  EXPECT_EQ(rounded(DType::kBF16, 1.0F + 0x1p-8F), 1.0F);
  EXPECT_EQ(rounded(DType::kBF16, 1.0F + 0x1.8p-7F), 1.0F + 0x1p-6F);
  EXPECT_EQ(rounded(DType::kF16, 1.0F + 0x1p-11F), 1.0F);
  EXPECT_EQ(rounded(DType::kF16, 1.0F + 0x1.8p-10F), 1.0F + 0x1p-9F);
  EXPECT_EQ(rounded(DType::kF16, 0x1.8p-24F), 0x1p-23F);
  EXPECT_EQ(rounded(DType::kF16, 65519.0F), 65504.0F);
  EXPECT_EQ(rounded(DType::kF16, -65520.0F), -std::numeric_limits<float>::infinity());
  EXPECT_TRUE(std::isnan(rounded(DType::kF16, std::numeric_limits<float>::quiet_NaN())));
  EXPECT_TRUE(std::isnan(rounded(DType::kBF16, std::numeric_limits<float>::quiet_NaN())));
}

TEST(NumberFormatsTest, OnlyFiniteValuesAreTooLargeForHalves) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  const auto message = [](std::vector<float> values) { return test::error_message([&] { require_f16("w", values); }); };
  EXPECT_EQ(message({65519.0F, -65519.0F, kInfinity, -kInfinity, std::numeric_limits<float>::quiet_NaN()}), "no error");
  EXPECT_EQ(message({kInfinity, -65520.0F, 70000.0F}), "tensor 'w': -65520 is too large for f16, expected bf16 or f32");
}

TEST(NumberFormatsTest, EightBitFloats) {
  const std::vector<std::byte> bytes = bytes_of({0x00, 0x01, 0x08, 0x38, 0x3C, 0x7E, 0xFE, 0x80, 0x7F, 0xFF});
  std::vector<float> floats(bytes.size());
  to_floats(DType::kF8E4M3, bytes, floats);
  EXPECT_EQ(floats[0], 0.0F);
  EXPECT_EQ(floats[1], 0x1p-9F);
  EXPECT_EQ(floats[2], 0x1p-6F);
  EXPECT_EQ(floats[3], 1.0F);
  EXPECT_EQ(floats[4], 1.5F);
  EXPECT_EQ(floats[5], 448.0F);
  EXPECT_EQ(floats[6], -448.0F);
  EXPECT_TRUE(floats[7] == 0.0F && std::signbit(floats[7]));
  EXPECT_TRUE(std::isnan(floats[8]) && std::isnan(floats[9]));
}

TEST(NumberFormatsTest, MxfpBlocksLowHalfFirst) {
  std::vector<std::byte> blocks;
  for (int i = 0; i < 16; ++i) blocks.push_back(static_cast<std::byte>(i | ((15 - i) << 4)));
  for (int i = 0; i < 16; ++i) blocks.push_back(static_cast<std::byte>(0x21));
  std::vector<float> floats(64);
  mxfp4_to_floats(blocks, bytes_of({127, 124}), floats);
  const float values[] = {0.0F, 0.5F, 1.0F, 1.5F, 2.0F, 3.0F, 4.0F, 6.0F};
  for (std::size_t i = 0; i < 8; ++i) {
    EXPECT_EQ(floats[2 * i], values[i]);
    EXPECT_EQ(floats[2 * i + 1], -values[7 - i]);
  }
  EXPECT_EQ(floats[32], 0.5F / 8.0F);
  EXPECT_EQ(floats[33], 1.0F / 8.0F);
}

}  // namespace number_formats_test
}  // namespace witan
