// The product engine against its reference: every layout, two outputs, blocks of depth, edges of tiles, and what it
// reports as finished.
#include "kernels/product.h"

#include <gtest/gtest.h>

#include <mutex>
#include <numeric>
#include <vector>

#include "base/pool.h"
#include "support/compare.h"
#include "support/isa.h"
#include "support/normals.h"

namespace witan::kernels {
namespace product_test {

using Layout = Factor::Layout;

struct Case {
  const char* name;
  std::int64_t rows, cols, depth;
};

void PrintTo(const Case& sizes, std::ostream* stream) { *stream << sizes.name; }

using test::normals;

// An operand in memory: rows further apart than they are long, first element off alignment, rows in reverse order.
struct Operand {
  Operand(std::int64_t sides, std::int64_t depth, Layout layout, bool gathered, std::uint64_t seed) {
    const std::int64_t rows = layout == Layout::kSideMajor ? sides : depth;
    const std::int64_t cols = layout == Layout::kSideMajor ? depth : sides;
    values = normals(rows * (cols + 3) + 1, seed);
    indices.resize(static_cast<std::size_t>(rows));
    std::iota(indices.rbegin(), indices.rend(), 0);
    factor = {values.data() + 1, cols + 3, layout, gathered ? indices.data() : nullptr};
  }
  std::vector<float> values;
  std::vector<std::int32_t> indices;
  Factor factor;
};

class ProductTest : public testing::TestWithParam<Case> {};

TEST_P(ProductTest, MatchesReferenceInEveryLayout) {
  const auto [name, rows, cols, depth] = GetParam();
  test::for_each_isa([&, rows = rows, cols = cols, depth = depth] {
    for (const Layout left_layout : {Layout::kSideMajor, Layout::kDepthMajor}) {
      for (const Layout right_layout : {Layout::kSideMajor, Layout::kDepthMajor}) {
        for (const bool gathered : {false, true}) {
          const Operand left(rows, depth, left_layout, gathered, 1);
          const Operand right(cols, depth, right_layout, gathered, 2);
          const Operand other(cols, depth, right_layout, gathered, 3);
          std::vector<float> results[2] = {normals(rows * cols, 4), normals(rows * cols, 5)};
          std::vector<float> expected[2] = {results[0], results[1]};
          Product product;
          product.rows = rows;
          product.cols = cols;
          product.depth = depth;
          product.outputs = 2;
          product.left = left.factor;
          product.right = {right.factor, other.factor};
          product.accumulate = gathered;
          const auto with_results = [&](std::vector<float>* to) {
            Product copy = product;
            copy.result = {Matrix(to[0].data(), rows, cols), Matrix(to[1].data(), rows, cols)};
            return copy;
          };
          const Product actual = with_results(results);
          const Product reference = with_results(expected);
          run_products({&actual, 1});
          run_products_reference({&reference, 1});
          const float tolerance = test::accumulation_tolerance(depth, 16.0F);
          EXPECT_TRUE(test::near(results[0], expected[0], tolerance));
          EXPECT_TRUE(test::near(results[1], expected[1], tolerance));
        }
      }
    }
  });
}

INSTANTIATE_TEST_SUITE_P(Sizes, ProductTest,
                         testing::Values(Case{"OneByOne", 1, 1, 1}, Case{"NoDepth", 3, 5, 0},
                                         Case{"OddEverything", 29, 67, 35}, Case{"OneRow", 1, 131, 40},
                                         Case{"OneColumn", 43, 1, 40}, Case{"WholeTiles", 28, 64, 64},
                                         Case{"TwoBlocksOfDepth", 15, 33, 701}, Case{"ManyTiles", 139, 17, 12}),
                         [](const auto& instance) { return instance.param.name; });

TEST(ProductEngineTest, DepthPastTheLimitIsCut) {
  constexpr std::int64_t kDepth = 9001;
  const Operand left(3, kDepth, Layout::kSideMajor, false, 1);
  const Operand right(5, kDepth, Layout::kDepthMajor, true, 2);
  std::vector<float> result(15, 1.0F);
  std::vector<float> expected(15, 1.0F);
  Product product;
  product.rows = 3;
  product.cols = 5;
  product.depth = kDepth;
  product.left = left.factor;
  product.right[0] = right.factor;
  product.result[0] = {result.data(), 3, 5};
  run_products({&product, 1});
  product.result[0] = {expected.data(), 3, 5};
  run_products_reference({&product, 1});
  EXPECT_TRUE(test::near(result, expected, test::accumulation_tolerance(kDepth, 16.0F)));
}

// Results that go past the caches are the same bits.
TEST(ProductEngineTest, StreamedResultsAreTheSame) {
  constexpr std::int64_t kSide = 1056;  // 4.25 MiB of results
  const Operand left(kSide, 8, Layout::kDepthMajor, false, 1);
  const Operand right(kSide, 8, Layout::kDepthMajor, false, 2);
  PooledVector<float> results[2];
  for (const bool streamed : {false, true}) {
    results[streamed].resize(kSide * kSide);
    Product product;
    product.rows = product.cols = kSide;
    product.depth = 8;
    product.left = left.factor;
    product.right[0] = right.factor;
    product.result[0] = {results[streamed].data(), kSide, kSide};
    product.written_for_later = streamed;
    run_products({&product, 1});
  }
  EXPECT_TRUE(test::identical(results[0], results[1]));
}

TEST(ProductEngineTest, EveryResultIsReportedFinishedOnceAndFinal) {
  const Operand left(70, 600, Layout::kSideMajor, false, 1);
  const Operand right(300, 600, Layout::kSideMajor, false, 2);
  std::vector<float> results[2] = {std::vector<float>(21000), std::vector<float>(21000)};
  std::vector<float> seen[2] = {results[0], results[1]};
  Product products[2];
  for (std::size_t p = 0; p < 2; ++p) {
    products[p].rows = 70;
    products[p].cols = 300;
    products[p].depth = 600;
    products[p].left = left.factor;
    products[p].right[0] = right.factor;
    products[p].result[0] = {results[p].data(), 70, 300};
  }
  std::mutex mutex;
  run_products(products, [&](const ResultBlock& block) {
    const std::scoped_lock lock(mutex);
    for (std::int64_t r = block.first_row; r < block.first_row + block.rows; ++r) {
      for (std::int64_t c = block.first_col; c < block.first_col + block.cols; ++c) {
        const auto at = static_cast<std::size_t>(r * 300 + c);
        seen[block.product][at] += results[block.product][at];
      }
    }
  });
  EXPECT_TRUE(test::identical(seen[0], results[0]));
  EXPECT_TRUE(test::identical(seen[1], results[1]));
}

}  // namespace product_test
}  // namespace witan::kernels
