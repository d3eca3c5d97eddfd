// Metrics against hand-made batches.
#include "balance/load_metrics.h"

#include <gtest/gtest.h>

#include <cmath>

#include "dispatch/sort_by_expert.h"

namespace witan {
namespace load_metrics_test {

MoeMetrics measure(const Choices& choices, const Tensor& probabilities, const Tensor& log_normalizers,
                   std::int64_t capacity, std::span<const std::uint8_t> mask = {}) {
  const std::vector<float> weights(choices.experts.size(), 1.0F);
  const SortedChoices sorted = sort_by_expert(choices, weights, {capacity, &find_drop_policy("position"), nullptr});
  return measure_load({sorted.assignment, {}, probabilities, {}}, log_normalizers, {.row_mask = mask});
}

TEST(LoadMetricsTest, CountsLoadAndDropping) {
  const Tensor uniform = Tensor::full({4, 4}, 0.25F);
  const MoeMetrics metrics = measure({4, 4, 1, {0, 0, 0, 2}}, uniform, Tensor::full({4}, 3.0F), 2);
  EXPECT_EQ(metrics.rows_per_expert, (std::vector<std::int64_t>{2, 0, 1, 0}));
  EXPECT_EQ(metrics.requested_rows, (std::vector<std::int64_t>{3, 0, 1, 0}));
  EXPECT_DOUBLE_EQ(metrics.max_over_mean_load, 2.0 * 4.0 / 3.0);
  EXPECT_DOUBLE_EQ(metrics.max_violation, 2.0);  // 3 requested, 1 in the mean
  EXPECT_DOUBLE_EQ(metrics.dropped_share, 0.25);
  EXPECT_EQ(metrics.dead_experts, 2);
  EXPECT_NEAR(metrics.router_entropy, std::log(4.0), 1e-6);
  EXPECT_DOUBLE_EQ(metrics.mean_z, 3.0);
}

TEST(LoadMetricsTest, EntropyOfACertainRowIsZeroAndPaddingIsNotCounted) {
  const Tensor probabilities = Tensor::from({2, 2}, std::vector<float>{1.0F, 0.0F, 0.5F, 0.5F});
  const Tensor z = Tensor::from({2}, std::vector<float>{1.0F, 5.0F});
  const std::vector<std::uint8_t> mask = {1, 0};
  const MoeMetrics metrics = measure({2, 2, 1, {0, kNoExpert}}, probabilities, z, kUnlimitedCapacity, mask);
  EXPECT_EQ(metrics.router_entropy, 0.0);
  EXPECT_EQ(metrics.mean_z, 1.0);
  EXPECT_EQ(metrics.rows_per_expert, (std::vector<std::int64_t>{1, 0}));
}

TEST(LoadMetricsTest, NoRows) {
  const MoeMetrics metrics = measure({0, 3, 2, {}}, Tensor::zeros({0, 3}), Tensor::zeros({0}), kUnlimitedCapacity);
  EXPECT_EQ(metrics.max_over_mean_load, 0.0);
  EXPECT_EQ(metrics.max_violation, 0.0);
  EXPECT_EQ(metrics.dropped_share, 0.0);
  EXPECT_EQ(metrics.router_entropy, 0.0);
  EXPECT_EQ(metrics.dead_experts, 3);
}

}  // namespace load_metrics_test
}  // namespace witan
