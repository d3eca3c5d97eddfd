// Top-k against a stable sort.
#include "kernels/select.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "base/random.h"
#include "support/compare.h"
#include "support/isa.h"

namespace witan::kernels {
namespace select_test {

struct Selected {
  std::vector<std::int32_t> indices;
  std::vector<float> values;
};

Selected run(decltype(&top_k) function, ConstMatrix scores, std::int64_t k) {
  Selected selected{std::vector<std::int32_t>(static_cast<std::size_t>(scores.rows * k)),
                    std::vector<float>(static_cast<std::size_t>(scores.rows * k))};
  EXPECT_EQ(function(scores, k, selected.indices, selected.values), -1);
  return selected;
}

TEST(SelectTest, EqualsAStableSortAtAllSizes) {
  Random random(3);
  for (const std::int64_t experts : {1, 2, 3, 8, 15, 16, 17, 64, 100, 256}) {
    for (const std::int64_t k : {1, 2, 3, 7, 8, 9, 64}) {
      if (k > experts) continue;
      for (const std::int64_t rows : {0, 1, 5, 16, 33, 300}) {
        const std::int64_t stride = experts + 3;  // rows start anywhere
        std::vector<float> storage(static_cast<std::size_t>(rows * stride + 1));
        // Few distinct values: many ties.
        for (float& value : storage) value = static_cast<float>(random.below(20)) - 10.0F;
        const ConstMatrix scores(storage.data() + 1, rows, experts, stride);
        const Selected expected = run(top_k_reference, scores, k);
        test::for_each_isa([&] {
          const Selected got = run(top_k, scores, k);
          ASSERT_EQ(got.indices, expected.indices) << "E=" << experts << " k=" << k << " T=" << rows;
          ASSERT_TRUE(test::identical(got.values, expected.values));
        });
      }
    }
  }
}

TEST(SelectTest, BestTwoAtAllSizes) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  Random random(4);
  for (std::size_t count = 1; count < 70; ++count) {
    std::vector<float> values(count + 1);
    std::vector<float> prices(count);
    // Few distinct values: many ties.
    for (float& value : values) value = static_cast<float>(random.below(6)) - 3.0F;
    for (float& price : prices) price = random.below(4) == 0 ? kInfinity : static_cast<float>(random.below(6));
    prices[random.below(count)] = 1.0F;
    const std::span<const float> unaligned(values.data() + 1, count);
    const BestTwo expected = best_two_reference(unaligned, prices);
    test::for_each_isa([&] {
      const BestTwo got = best_two(unaligned, prices);
      ASSERT_EQ(got.index, expected.index) << count;
      ASSERT_EQ(got.best, expected.best) << count;
      ASSERT_EQ(got.second, expected.second) << count;
    });
  }
}

TEST(SelectTest, InfinitiesAndSignedZerosAreOrdinary) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  constexpr std::size_t kRows = 19;  // whole vectors and a rest
  std::vector<float> scores;
  std::vector<std::int32_t> expected;
  for (std::size_t t = 0; t < kRows; ++t) {
    scores.insert(scores.end(), {-0.0F, -kInfinity, 0.0F, -kInfinity, kInfinity, -1.0F});
    expected.insert(expected.end(), {4, 0, 2, 5, 1, 3});
  }
  test::for_each_isa([&] {
    const Selected all = run(top_k, {scores.data(), kRows, 6}, 6);
    EXPECT_EQ(all.indices, expected);
    EXPECT_TRUE(std::signbit(all.values[1]));
  });
}

TEST(SelectTest, ReportsTheFirstRowWithANan) {
  std::vector<float> scores(64 * 8, 1.0F);
  std::vector<std::int32_t> indices(64 * 2);
  for (const float nan : {std::nanf(""), -std::nanf("")}) {
    test::for_each_isa([&] {
      scores[50 * 8 + 7] = nan;
      EXPECT_EQ(top_k({scores.data(), 64, 8}, 2, indices), 50);
      scores[21 * 8] = nan;
      EXPECT_EQ(top_k({scores.data(), 64, 8}, 2, indices), 21);
      EXPECT_EQ(top_k_reference({scores.data(), 64, 8}, 2, indices), 21);
      scores[21 * 8] = 1.0F;
      scores[50 * 8 + 7] = 1.0F;
    });
  }
}

}  // namespace select_test
}  // namespace witan::kernels
