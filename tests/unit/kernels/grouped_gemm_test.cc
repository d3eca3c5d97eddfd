// Grouped products against their reference: uneven, empty and single experts, odd sizes, strides.
#include "kernels/grouped_gemm.h"

#include <gtest/gtest.h>

#include <vector>

#include "base/parallel.h"
#include "base/pool.h"
#include "base/random.h"
#include "support/assignments.h"
#include "support/compare.h"
#include "support/isa.h"

namespace witan::kernels {
namespace grouped_gemm_test {

struct Problem {
  const char* name;
  std::int64_t rows, in, out;
  std::vector<std::int64_t> loads;  // rows per expert
};

void PrintTo(const Problem& problem, std::ostream* stream) { *stream << problem.name; }

// Everything one problem needs, with rows apart by more than their width and starting off alignment.
struct Data {
  explicit Data(const Problem& problem)
      : in(problem.in), out(problem.out), experts(static_cast<std::int64_t>(problem.loads.size())) {
    Random random(11);
    offsets.push_back(0);
    for (const std::int64_t load : problem.loads) offsets.push_back(offsets.back() + load);
    for (std::int64_t a = 0; a < entries(); ++a) {
      row_indices.push_back(static_cast<std::int32_t>(random.below(static_cast<std::uint64_t>(problem.rows))));
    }
    x = filled(random, problem.rows * (in + 3) + 1);
    x_by_entry = filled(random, entries() * (in + 3) + 1);
    dy = filled(random, entries() * (out + 5) + 1);
    weight = filled(random, experts * out * in);
    rows = problem.rows;
  }
  static std::vector<float> filled(Random& random, std::int64_t size) {
    std::vector<float> values(static_cast<std::size_t>(size));
    random.fill_normal(values, 0.0F, 1.0F);
    return values;
  }
  std::int64_t entries() const { return offsets.back(); }
  RowGroups gathered() const { return {offsets, row_indices}; }
  RowGroups direct() const { return {offsets, {}}; }
  ConstMatrix x_view() const { return {x.data() + 1, rows, in, in + 3}; }
  ConstMatrix x_by_entry_view() const { return {x_by_entry.data() + 1, entries(), in, in + 3}; }
  ConstMatrix dy_view() const { return {dy.data() + 1, entries(), out, out + 5}; }
  WeightBank<const float> weights() const { return {weight.data(), out, in}; }
  float tolerance(std::int64_t terms) const { return test::accumulation_tolerance(terms, 16.0F); }

  std::int64_t in, out, experts, rows = 0;
  std::vector<std::int64_t> offsets;
  std::vector<std::int32_t> row_indices;
  std::vector<float> x, x_by_entry, dy, weight;
};

class GroupedGemmTest : public testing::TestWithParam<Problem> {};

TEST_P(GroupedGemmTest, Forward) {
  const Data data(GetParam());
  test::for_each_isa([&] {
    for (const bool gather : {true, false}) {
      const RowGroups groups = gather ? data.gathered() : data.direct();
      const ConstMatrix x = gather ? data.x_view() : data.x_by_entry_view();
      const std::int64_t stride = data.out + 2;
      std::vector<float> y(static_cast<std::size_t>(data.entries() * stride), 7.0F);
      std::vector<float> expected = y;
      grouped_gemm(groups, x, data.weights(), {y.data(), data.entries(), data.out, stride});
      grouped_gemm_reference(groups, x, data.weights(), {expected.data(), data.entries(), data.out, stride});
      EXPECT_TRUE(test::near(y, expected, data.tolerance(data.in))) << "gather " << gather;
    }
  });
}

TEST_P(GroupedGemmTest, BackwardInput) {
  const Data data(GetParam());
  test::for_each_isa([&] {
    for (const bool accumulate : {false, true}) {
      const std::int64_t stride = data.in + 2;
      std::vector<float> dx(static_cast<std::size_t>(data.entries() * stride), 7.0F);
      std::vector<float> expected = dx;
      grouped_gemm_backward_input(data.direct(), data.dy_view(), data.weights(),
                                  {dx.data(), data.entries(), data.in, stride}, accumulate);
      grouped_gemm_backward_input_reference(data.direct(), data.dy_view(), data.weights(),
                                            {expected.data(), data.entries(), data.in, stride}, accumulate);
      EXPECT_TRUE(test::near(dx, expected, data.tolerance(data.out))) << "accumulate " << accumulate;
    }
  });
}

TEST_P(GroupedGemmTest, BackwardWeight) {
  const Data data(GetParam());
  test::for_each_isa([&] {
    for (const bool gather : {true, false}) {
      for (const bool accumulate : {false, true}) {
        const RowGroups groups = gather ? data.gathered() : data.direct();
        const ConstMatrix x = gather ? data.x_view() : data.x_by_entry_view();
        std::vector<float> dw(data.weight.size(), 7.0F);
        std::vector<float> expected = dw;
        grouped_gemm_backward_weight(groups, data.dy_view(), x, {dw.data(), data.out, data.in}, accumulate);
        grouped_gemm_backward_weight_reference(groups, data.dy_view(), x, {expected.data(), data.out, data.in},
                                               accumulate);
        EXPECT_TRUE(test::near(dw, expected, data.tolerance(data.entries())))
            << "gather " << gather << ", accumulate " << accumulate;
      }
    }
  });
}

// Each element is one chain of additions, so neither the threads nor the company of other experts changes its bits.
TEST_P(GroupedGemmTest, SameBitsWithAnyNumberOfThreads) {
  const Data data(GetParam());
  const int before = num_threads();
  std::vector<std::vector<float>> results;
  for (const int threads : {1, 2, 3, 2}) {
    set_num_threads(threads);
    std::vector<float> y(static_cast<std::size_t>(data.entries() * data.out));
    std::vector<float> dx(static_cast<std::size_t>(data.entries() * data.in));
    std::vector<float> dw(data.weight.size());
    grouped_gemm(data.gathered(), data.x_view(), data.weights(), {y.data(), data.entries(), data.out});
    grouped_gemm_backward_input(data.direct(), data.dy_view(), data.weights(), {dx.data(), data.entries(), data.in},
                                false);
    grouped_gemm_backward_weight(data.gathered(), data.dy_view(), data.x_view(), {dw.data(), data.out, data.in}, false);
    y.insert(y.end(), dx.begin(), dx.end());
    y.insert(y.end(), dw.begin(), dw.end());
    results.push_back(std::move(y));
  }
  set_num_threads(before);
  for (const std::vector<float>& result : results) EXPECT_TRUE(test::identical(result, results.front()));
}

INSTANTIATE_TEST_SUITE_P(
    Problems, GroupedGemmTest,
    testing::Values(Problem{"OneByOne", 1, 1, 1, {1}}, Problem{"NoRows", 3, 5, 4, {0, 0}},
                    Problem{"Odd", 37, 19, 53, {5, 0, 17, 1, 14}}, Problem{"AllToOne", 40, 33, 50, {0, 0, 97, 0}},
                    Problem{"OneExpert", 64, 48, 96, {64}}, Problem{"ManySmall", 20, 16, 32, {1, 2, 3, 0, 4, 1, 1, 2}},
                    Problem{"Deep", 30, 700, 45, {20, 31}}, Problem{"Wide", 30, 45, 700, {20, 31}},
                    Problem{"LongSum", 600, 40, 41, {3, 601}},
                    // Just under whole blocks of depth; AddressSanitizer sees a panel that is full.
                    Problem{"AlmostWholeBlocks", 90, 33, 40, {1023, 511, 1535}}),
    [](const auto& instance) { return instance.param.name; });

}  // namespace grouped_gemm_test
}  // namespace witan::kernels
