// The search by halves finds what a search of all n^2 finds, ties included.
#include "routers/product_key_search.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/select.h"
#include "support/compare.h"
#include "support/error_message.h"
#include "support/gradient_check.h"

namespace witan {
namespace product_key_search_test {

// Of whole numbers between -2 and 2 when coarse: ties everywhere.
Tensor half_scores(std::int64_t rows, std::int64_t n, std::uint64_t seed, bool coarse) {
  Tensor scores = test::random_tensor({rows, n}, seed);
  if (coarse) {
    for (float& score : scores.values()) score = std::clamp(std::round(score), -2.0F, 2.0F);
  }
  return scores;
}

TEST(ProductKeySearchTest, EqualsASearchOfAllPairs) {
  struct Case {
    std::int64_t n, k;
  };
  for (const auto& [n, k] : {Case{1, 1}, Case{2, 4}, Case{3, 2}, Case{5, 9}, Case{17, 16}, Case{40, 100}}) {
    for (const bool coarse : {false, true}) {
      const std::int64_t rows = 70;
      const Tensor first = half_scores(rows, n, 1, coarse);
      const Tensor second = half_scores(rows, n, 2, coarse);
      Tensor all = Tensor::uninitialized({rows, n * n});
      for (std::int64_t row = 0; row < rows; ++row) {
        for (std::int64_t e = 0; e < n * n; ++e) {
          all.matrix()(row, e) = first.matrix()(row, e / n) + second.matrix()(row, e % n);
        }
      }
      std::vector<std::int32_t> experts(static_cast<std::size_t>(rows * k));
      std::vector<float> values(experts.size());
      kernels::top_k_reference(all.matrix(), k, experts, values);
      Tape off;
      const BestPairs best = find_best_pairs(off, first, second, k);
      EXPECT_TRUE(std::ranges::equal(*best.experts, experts)) << "n=" << n << " k=" << k << " coarse=" << coarse;
      EXPECT_TRUE(test::identical(best.scores.values(), values));
    }
  }
}

TEST(ProductKeySearchTest, GradientsMatchCentralDifferences) {
  // Gaps of a tenth and more: no difference quotient crosses a selection boundary.
  Tensor first = Tensor::from({2, 3}, std::vector<float>{0.0F, 1.0F, 2.5F, 0.7F, -1.0F, 3.1F});
  Tensor second = Tensor::from({2, 3}, std::vector<float>{0.2F, 1.6F, -0.5F, 1.2F, 2.0F, 0.1F});
  first.set_requires_grad(true);
  second.set_requires_grad(true);
  const std::vector<Tensor> inputs = {first, second};
  EXPECT_TRUE(test::gradients_match(
      [](Tape& tape, std::span<const Tensor> x) { return find_best_pairs(tape, x[0], x[1], 4).scores; }, inputs));
}

TEST(ProductKeySearchTest, ScoresThatAreNotNumbersNameTheirRow) {
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    for (const bool in_first : {false, true}) {
      const Tensor first = test::random_tensor({12, 5}, 1);
      const Tensor second = test::random_tensor({12, 5}, 2);
      (in_first ? first : second).matrix()(7, 4) = bad;
      Tape off;
      const std::string message = test::error_message([&] { find_best_pairs(off, first, second, 2, 3); });
      EXPECT_NE(message.find("row 2 "), std::string::npos) << message;
    }
  }
}

}  // namespace product_key_search_test
}  // namespace witan
