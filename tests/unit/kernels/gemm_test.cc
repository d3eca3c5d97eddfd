// Matrix product against its reference.
#include "kernels/gemm.h"

#include <gtest/gtest.h>

#include <vector>

#include "base/random.h"
#include "support/compare.h"

namespace witan::kernels {
namespace gemm_test {

struct Case {
  std::int64_t m, n, k;
};

class GemmTest : public testing::TestWithParam<Case> {};

TEST_P(GemmTest, MatchesReferenceForEveryTransposeStrideAndBeta) {
  const auto [m, n, k] = GetParam();
  Random random(3);
  for (const Op op_a : {Op::kPlain, Op::kTransposed}) {
    for (const Op op_b : {Op::kPlain, Op::kTransposed}) {
      for (const float beta : {0.0F, 1.0F}) {
        for (const std::int64_t extra : {0, 3}) {
          const std::int64_t a_rows = op_a == Op::kPlain ? m : k;
          const std::int64_t a_cols = op_a == Op::kPlain ? k : m;
          const std::int64_t b_rows = op_b == Op::kPlain ? k : n;
          const std::int64_t b_cols = op_b == Op::kPlain ? n : k;
          std::vector<float> a(static_cast<std::size_t>(a_rows * (a_cols + extra) + 1));
          std::vector<float> b(static_cast<std::size_t>(b_rows * (b_cols + extra) + 1));
          std::vector<float> c(static_cast<std::size_t>(m * (n + extra) + 1));
          random.fill_normal(a, 0.0F, 1.0F);
          random.fill_normal(b, 0.0F, 1.0F);
          random.fill_normal(c, 0.0F, 1.0F);
          std::vector<float> expected = c;
          const ConstMatrix a_view{a.data() + 1, a_rows, a_cols, a_cols + extra};
          const ConstMatrix b_view{b.data() + 1, b_rows, b_cols, b_cols + extra};
          gemm(op_a, op_b, a_view, b_view, beta, {c.data() + 1, m, n, n + extra});
          gemm_reference(op_a, op_b, a_view, b_view, beta, {expected.data() + 1, m, n, n + extra});
          EXPECT_TRUE(test::near(c, expected, test::accumulation_tolerance(k, test::max_abs(a) * test::max_abs(b))));
        }
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Sizes, GemmTest,
                         testing::Values(Case{1, 1, 1}, Case{7, 5, 3}, Case{33, 65, 17}, Case{64, 48, 256},
                                         Case{100, 31, 513}, Case{515, 511, 9}, Case{0, 4, 4}, Case{4, 0, 4},
                                         Case{4, 4, 0}));

}  // namespace gemm_test
}  // namespace witan::kernels
