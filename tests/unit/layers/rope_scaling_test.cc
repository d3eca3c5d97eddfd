// Frequencies of scaled RoPE against the formulas of their papers, written out for single pairs.
#include "layers/rope_scaling.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numbers>

#include "support/error_message.h"

namespace witan {
namespace rope_scaling_test {

constexpr double kTheta = 10000.0;
constexpr std::int64_t kDim = 16;
constexpr std::int64_t kPositions = 4096;

double plain(std::size_t pair) { return std::pow(kTheta, -2.0 * static_cast<double>(pair) / kDim); }

RopeFrequencies frequencies(const RopeScaling& scaling, std::int64_t length = 10) {
  scaling.validate(kDim);
  return rope_frequencies(scaling, kTheta, kDim, kPositions, length);
}

TEST(RopeScalingTest, DefaultAndLinear) {
  RopeScaling scaling;
  const RopeFrequencies unscaled = frequencies(scaling);
  scaling.rope_type = "linear";
  scaling.rope_factor = 4.0;
  const RopeFrequencies linear = frequencies(scaling);
  ASSERT_EQ(unscaled.inverse.size(), 8U);
  EXPECT_EQ(unscaled.factor, 1.0);
  for (std::size_t i = 0; i < 8; ++i) {
    EXPECT_NEAR(unscaled.inverse[i], plain(i), 1e-12);
    EXPECT_NEAR(linear.inverse[i], plain(i) / 4.0, 1e-12);
  }
}

TEST(RopeScalingTest, DynamicStretchesTheBaseBeyondTheTrainedLengthOnly) {
  RopeScaling scaling;
  scaling.rope_type = "dynamic";
  scaling.rope_factor = 2.0;
  EXPECT_TRUE(scaling.depends_on_length());
  EXPECT_NEAR(frequencies(scaling, kPositions).inverse[3], plain(3), 1e-12);
  const double base = kTheta * std::pow(2.0 * 1.5 - 1.0, 16.0 / 14.0);
  EXPECT_NEAR(frequencies(scaling, kPositions * 3 / 2).inverse[3], std::pow(base, -6.0 / 16.0), 1e-12);
}

TEST(RopeScalingTest, YarnKeepsFastPairsAndStretchesSlowOnes) {
  RopeScaling scaling;
  scaling.rope_type = "yarn";
  scaling.rope_factor = 8.0;
  scaling.original_max_position_embeddings = 512;
  const RopeFrequencies yarn = frequencies(scaling);
  // Pair of r turns: 16 ln(512 / (2 pi r)) / (2 ln 10^4); 32 turns: 0.81 -> 0, one turn: 3.82 -> 4.
  EXPECT_NEAR(yarn.inverse[0], plain(0), 1e-12);
  EXPECT_NEAR(yarn.inverse[1], plain(1) * (0.75 + 0.25 / 8.0), 1e-12);
  EXPECT_NEAR(yarn.inverse[5], plain(5) / 8.0, 1e-12);
  EXPECT_NEAR(yarn.factor, 0.1 * std::log(8.0) + 1.0, 1e-12);
  scaling.rope_truncate = false;
  const auto turn = [](double r) {
    return 16.0 * std::log(512.0 / (2.0 * std::numbers::pi * r)) / (2.0 * std::log(kTheta));
  };
  const double stretched = (1.0 - turn(32.0)) / (turn(1.0) - turn(32.0));
  EXPECT_NEAR(frequencies(scaling).inverse[1], plain(1) * (1.0 - stretched + stretched / 8.0), 1e-12);
  scaling.rope_mscale = 0.7;
  scaling.rope_mscale_all_dim = 0.5;
  EXPECT_NEAR(frequencies(scaling).factor, (0.07 * std::log(8.0) + 1.0) / (0.05 * std::log(8.0) + 1.0), 1e-12);
  scaling.rope_attention_factor = 1.25;
  EXPECT_EQ(frequencies(scaling).factor, 1.25);
}

TEST(RopeScalingTest, Llama3GoesByTheWavelength) {
  RopeScaling scaling;
  scaling.rope_type = "llama3";
  scaling.rope_factor = 8.0;
  scaling.original_max_position_embeddings = 512;
  const RopeFrequencies llama = frequencies(scaling);
  for (std::size_t i = 0; i < 8; ++i) {
    const double wavelength = 2.0 * std::numbers::pi / plain(i);
    double expected = plain(i);
    if (wavelength > 512.0) {
      expected = plain(i) / 8.0;
    } else if (wavelength > 128.0) {
      const double smooth = (512.0 / wavelength - 1.0) / 3.0;
      expected = (1.0 - smooth) * plain(i) / 8.0 + smooth * plain(i);
    }
    EXPECT_NEAR(llama.inverse[i], expected, 1e-12) << i;
  }
}

TEST(RopeScalingTest, LongropeChangesItsDivisorsWithTheLength) {
  RopeScaling scaling;
  scaling.rope_type = "longrope";
  scaling.original_max_position_embeddings = 1024;
  scaling.rope_short_factor = "1,1,1,1,1,1,1,2";
  scaling.rope_long_factor = "1,2,3,4,5,6,7,8";
  EXPECT_NEAR(frequencies(scaling, 1024).inverse[7], plain(7) / 2.0, 1e-12);
  EXPECT_NEAR(frequencies(scaling, 1025).inverse[7], plain(7) / 8.0, 1e-12);
  EXPECT_NEAR(frequencies(scaling, 1025).factor, std::sqrt(1.0 + std::log(4.0) / std::log(1024.0)), 1e-12);
  scaling.rope_factor = 3.0;  // counts only where no original length is given
  EXPECT_NEAR(frequencies(scaling, 1025).factor, std::sqrt(1.0 + std::log(4.0) / std::log(1024.0)), 1e-12);
  scaling.original_max_position_embeddings = 4096;
  EXPECT_EQ(frequencies(scaling, 1025).factor, 1.0) << "the ratio of the lengths is 1";
  scaling.original_max_position_embeddings = 0;
  EXPECT_NEAR(frequencies(scaling, 1025).factor, std::sqrt(1.0 + std::log(3.0) / std::log(4096.0)), 1e-12);
  scaling.original_max_position_embeddings = 1024;
  scaling.rope_short_mscale = 1.1;
  scaling.rope_long_mscale = 1.3;
  EXPECT_EQ(frequencies(scaling, 1024).factor, 1.1);
  EXPECT_EQ(frequencies(scaling, 1025).factor, 1.3);
}

TEST(RopeScalingTest, WrongValues) {
  RopeScaling scaling;
  scaling.rope_type = "longrope";
  scaling.rope_short_factor = "1,1,1,1,1,1,1,0";
  scaling.rope_long_factor = scaling.rope_short_factor;
  EXPECT_NE(test::error_message([&] { scaling.validate(kDim); }).find("not above 0"), std::string::npos);
  scaling = RopeScaling();
  scaling.rope_type = "llama3";
  scaling.rope_low_freq_factor = 4.0;
  EXPECT_NE(test::error_message([&] { scaling.validate(kDim); }).find("rope_low_freq_factor=4"), std::string::npos);
}

}  // namespace rope_scaling_test
}  // namespace witan
