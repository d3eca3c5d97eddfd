// Statistics of weights against Eigen's singular values and plain loops.
#include "inspection/weight_statistics.h"

#include <gtest/gtest.h>

#include <Eigen/SVD>
#include <algorithm>
#include <cmath>

#include "inspection/spectral_norm.h"
#include "models/encoder_decoder_folder.h"
#include "support/normals.h"
#include "support/released_goldens.h"
#include "support/tiny_models.h"

namespace witan {
namespace weight_statistics_test {

using Dense = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

std::vector<float> drawn(std::int64_t count, std::uint64_t seed) { return test::normals(count, seed, 0.1F); }

double largest_singular_value(ConstMatrix matrix) {
  const Dense dense = Eigen::Map<const Dense>(matrix.data, matrix.rows, matrix.cols);
  return dense.cast<double>().jacobiSvd().singularValues()(0);
}

TEST(WeightStatisticsTest, SpectralNormIsTheLargestSingularValue) {
  for (const auto& [rows, cols] : {std::pair{1, 1}, {1, 7}, {9, 1}, {5, 5}, {17, 33}, {120, 70}}) {
    const std::vector<float> values = drawn(rows * cols, 3);
    const ConstMatrix matrix(values.data(), rows, cols);
    const double expected = largest_singular_value(matrix);
    EXPECT_NEAR(spectral_norm(matrix), expected, 1e-5 * expected) << rows << " x " << cols;
  }
}

TEST(WeightStatisticsTest, SpectralNormOfWhatHasLittleRank) {
  const std::vector<float> zeros(12, 0.0F);
  EXPECT_EQ(spectral_norm({zeros.data(), 3, 4}), 0.0);
  EXPECT_EQ(spectral_norm({zeros.data(), 0, 4}), 0.0);
  std::vector<float> outer;  // rank 1: |a| |b|
  for (int r = 1; r <= 6; ++r) {
    for (int c = 1; c <= 4; ++c) outer.push_back(static_cast<float>(r * c));
  }
  EXPECT_NEAR(spectral_norm({outer.data(), 6, 4}), std::sqrt(91.0 * 30.0), 1e-4);
  std::vector<float> identity(25, 0.0F);
  for (std::size_t i = 0; i < 25; i += 6) identity[i] = 2.0F;
  EXPECT_NEAR(spectral_norm({identity.data(), 5, 5}), 2.0, 1e-6);
}

TEST(WeightStatisticsTest, NormRankAndKurtosis) {
  const std::vector<float> values = {1, -1, 1, -1, 1, -1, 1, -1};
  const MatrixStatistics flat = matrix_statistics({values.data(), 2, 4});
  EXPECT_DOUBLE_EQ(flat.norm, std::sqrt(8.0));
  EXPECT_NEAR(flat.stable_rank, 1.0, 1e-6) << "both rows are the same";
  EXPECT_DOUBLE_EQ(flat.kurtosis, -2.0) << "two equally likely values";
  EXPECT_DOUBLE_EQ(flat.largest, 1.0);

  std::vector<float> spiky(100, 0.0F);
  spiky[37] = -10.0F;
  const MatrixStatistics spike = matrix_statistics({spiky.data(), 10, 10});
  EXPECT_DOUBLE_EQ(spike.largest, 10.0);
  const double p = 0.01;  // a rare value: kurtosis (1 - 6 p (1 - p)) / (p (1 - p))
  EXPECT_NEAR(spike.kurtosis, (1.0 - 6.0 * p * (1.0 - p)) / (p * (1.0 - p)), 1e-9);

  const std::vector<float> normal = drawn(200 * 300, 5);
  const MatrixStatistics noise = matrix_statistics({normal.data(), 200, 300});
  EXPECT_NEAR(noise.kurtosis, 0.0, 0.1);
  EXPECT_GT(noise.stable_rank, 40.0);
}

Tensor bank_of(std::int64_t experts, std::int64_t rows, std::int64_t cols, std::uint64_t seed) {
  return Tensor::from({experts, rows, cols}, drawn(experts * rows * cols, seed));
}

// Three experts of which the second is the first with its neurons in another order, and the third is its own.
ExpertBank permuted_bank() {
  constexpr std::int64_t kNeurons = 20;
  constexpr std::int64_t kHidden = 24;
  ExpertBank bank;
  bank.matrices = {{"gate_proj", bank_of(3, kNeurons, kHidden, 1)},
                   {"up_proj", bank_of(3, kNeurons, kHidden, 2)},
                   {"down_proj", bank_of(3, kHidden, kNeurons, 3)}};
  for (std::int64_t n = 0; n < kNeurons; ++n) {
    const std::int64_t to = (7 * n + 3) % kNeurons;
    for (std::int64_t d = 0; d < kHidden; ++d) {
      for (int m = 0; m < 2; ++m) {
        float* values = bank.matrices[static_cast<std::size_t>(m)].values.data();
        values[(kNeurons + to) * kHidden + d] = values[n * kHidden + d];
      }
      float* down = bank.matrices[2].values.data();
      down[(kHidden + d) * kNeurons + to] = down[d * kNeurons + n];
    }
  }
  return bank;
}

TEST(WeightStatisticsTest, CosineIsThatOfAllEntriesAsOneVector) {
  const ExpertBank bank = permuted_bank();
  const WeightSimilarity similarity = weight_similarity(bank);
  for (std::int64_t a = 0; a < 3; ++a) {
    for (std::int64_t b = 0; b < 3; ++b) {
      double dot = 0.0;
      double of_a = 0.0;
      double of_b = 0.0;
      for (const ExpertBank::Matrix& matrix : bank.matrices) {
        const std::int64_t size = matrix.values.numel() / 3;
        for (std::int64_t i = 0; i < size; ++i) {
          const double x = matrix.values.data()[a * size + i];
          const double y = matrix.values.data()[b * size + i];
          dot += x * y;
          of_a += x * x;
          of_b += y * y;
        }
      }
      EXPECT_NEAR(similarity.cosine[static_cast<std::size_t>(3 * a + b)], dot / std::sqrt(of_a * of_b), 1e-5);
    }
  }
}

TEST(WeightStatisticsTest, MatchingSeesThroughAnotherOrderOfNeurons) {
  const WeightSimilarity similarity = weight_similarity(permuted_bank());
  EXPECT_LT(similarity.cosine[1], 0.3);
  EXPECT_NEAR(similarity.matched[1], 1.0, 1e-5);
  EXPECT_EQ(similarity.matched[1], similarity.matched[3]);
  EXPECT_LT(similarity.matched[2], 0.6);
  EXPECT_EQ(similarity.matched_neurons, 20);
  EXPECT_NEAR(similarity.matched_by_chance, 1.8681 / std::sqrt(72.0), 1e-4) << "the largest of 20 normal numbers";
  EXPECT_NEAR(similarity.matched[2], similarity.matched_by_chance, 0.05) << "experts that have nothing in common";
}

TEST(WeightStatisticsTest, MatchingIsTheMeanOfTheBestBothWays) {
  const ExpertBank bank = permuted_bank();
  const auto neuron = [&](std::int64_t expert, std::int64_t n) {
    std::vector<double> all;
    for (std::int64_t d = 0; d < 24; ++d) all.push_back(bank.matrices[0].values.data()[(expert * 20 + n) * 24 + d]);
    for (std::int64_t d = 0; d < 24; ++d) all.push_back(bank.matrices[1].values.data()[(expert * 20 + n) * 24 + d]);
    for (std::int64_t d = 0; d < 24; ++d) all.push_back(bank.matrices[2].values.data()[(expert * 24 + d) * 20 + n]);
    return all;
  };
  const auto dot = [](const std::vector<double>& x, const std::vector<double>& y) {
    double sum = 0.0;
    for (std::size_t i = 0; i < x.size(); ++i) sum += x[i] * y[i];
    return sum;
  };
  double sum = 0.0;
  for (const auto& [from, to] : {std::pair{0, 2}, {2, 0}}) {
    for (std::int64_t i = 0; i < 20; ++i) {
      double best = -1.0;
      for (std::int64_t j = 0; j < 20; ++j) {
        const auto x = neuron(from, i);
        const auto y = neuron(to, j);
        best = std::max(best, dot(x, y) / std::sqrt(dot(x, x) * dot(y, y)));
      }
      sum += best;
    }
  }
  EXPECT_NEAR(weight_similarity(bank).matched[2], sum / 40.0, 1e-5);
}

TEST(WeightStatisticsTest, MatchingStopsWhereItWouldTakeTooLong) {
  const ExpertBank bank = permuted_bank();
  const double per_neuron = 2.0 * 6.0 * 20.0 * 72.0;
  const WeightSimilarity thinned = weight_similarity(bank, 17.0 * per_neuron);
  EXPECT_EQ(thinned.matched_neurons, 17);
  EXPECT_NEAR(thinned.matched[1], 1.0, 1e-5) << "all neurons are there to be found";
  EXPECT_TRUE(weight_similarity(bank, 3.0 * per_neuron).matched.empty());
}

TEST(WeightStatisticsTest, EveryMixtureOfADecoderIsLookedAt) {
  for (const test::NamedConfig& named : test::tiny_configs()) {
    const Decoder model(named.config, 1);
    const auto banks = expert_banks(model);
    const bool neurons = named.config.moe.router == "peer";
    EXPECT_EQ(banks.size(), neurons ? 0U : static_cast<std::size_t>(named.config.num_moe_layers())) << named.name;
    for (const WeightStatistics& layer : weight_statistics(banks)) {
      EXPECT_EQ(layer.matrices.size(), named.config.moe.gated ? 3U : 2U) << named.name;
      EXPECT_EQ(layer.matrices.back(), "down_proj") << named.name;
      EXPECT_EQ(layer.values[0].size(), static_cast<std::size_t>(named.config.moe.num_experts)) << named.name;
      EXPECT_EQ(layer.router_norms.size(), layer.values[0].size()) << named.name;
      EXPECT_GT(layer.router_norms[0], 0.0) << named.name;
    }
  }
}

TEST(WeightStatisticsTest, EveryMixtureOfAnEncoderDecoderIsLookedAt) {
  const auto folder = test::golden_checkpoint("switch_transformers");
  const auto model = load_encoder_decoder(folder);
  const auto weights = weight_statistics(expert_banks(*model));
  std::size_t mixtures = 0;
  for (const StackConfig* stack : {&model->config().encoder, &model->config().decoder}) {
    mixtures += static_cast<std::size_t>(std::ranges::count(stack->sparse, true));
  }
  EXPECT_EQ(weights.size(), mixtures);
  EXPECT_EQ(weights.front().stack, "encoder");
  EXPECT_EQ(weights.back().stack, "decoder");
  EXPECT_EQ(weights.front().values[0].size(), static_cast<std::size_t>(model->config().num_experts));
  EXPECT_GT(weights.front().values[0][0].norm, 0.0);
}

}  // namespace weight_statistics_test
}  // namespace witan
