// Elementwise kernels against their references, with and without accumulation.
#include "kernels/elementwise.h"

#include <gtest/gtest.h>

#include <vector>

#include "base/parallel.h"
#include "base/random.h"
#include "support/compare.h"
#include "support/isa.h"
#include "support/normals.h"

namespace witan::kernels {
namespace kernels_elementwise_test {

using test::normals;

// Compares kernel(a, b, y, accumulate) with its reference at odd sizes and an odd offset.
template <class Kernel, class Reference>
void check(const Kernel& kernel, const Reference& reference) {
  for (const std::size_t size : {0, 1, 7, 33, 40001}) {
    for (const bool accumulate : {false, true}) {
      const std::vector<float> a = normals(size + 1, 1);
      const std::vector<float> b = normals(size + 1, 2);
      std::vector<float> y = normals(size + 1, 3);
      std::vector<float> expected = y;
      kernel(std::span(a).subspan(1), std::span(b).subspan(1), std::span(y).subspan(1), accumulate);
      reference(std::span(a).subspan(1), std::span(b).subspan(1), std::span(expected).subspan(1), accumulate);
      EXPECT_TRUE(test::near(y, expected, test::accumulation_tolerance(1, test::max_abs(expected)))) << size;
    }
  }
}

TEST(ElementwiseTest, AgreesWithTheReferences) {
  using In = std::span<const float>;
  using Out = std::span<float>;
  check([](In a, In b, Out y, bool) { add(a, b, y); }, [](In a, In b, Out y, bool) { add_reference(a, b, y); });
  check(multiply, multiply_reference);
  check([](In a, In, Out y, bool accumulate) { scale(a, -1.5F, y, accumulate); },
        [](In a, In, Out y, bool accumulate) { scale_reference(a, -1.5F, y, accumulate); });
  check([](In, In, Out y, bool accumulate) { fill(2.5F, y, accumulate); },
        [](In, In, Out y, bool accumulate) { fill_reference(2.5F, y, accumulate); });
  check([](In a, In, Out y, bool) { sigmoid(a, y); }, [](In a, In, Out y, bool) { sigmoid_reference(a, y); });
  check(sigmoid_backward, sigmoid_backward_reference);
  check([](In a, In, Out y, bool) { tanh(a, y); }, [](In a, In, Out y, bool) { tanh_reference(a, y); });
  check(tanh_backward, tanh_backward_reference);
}

TEST(ElementwiseTest, AddMayWriteOverItsInput) {
  std::vector<float> a = normals(40001, 1);
  const std::vector<float> b = normals(40001, 2);
  std::vector<float> expected(a.size());
  for (std::size_t i = 0; i < a.size(); ++i) expected[i] = a[i] + b[i];
  add(a, b, a);
  EXPECT_TRUE(test::identical(a, expected));
}

TEST(ElementwiseTest, SigmoidIsSafeAtBothEnds) {
  const std::vector<float> x = {-1e30F, -100.0F, 0.0F, 1.0F, 100.0F, 1e30F};
  std::vector<float> y(x.size());
  sigmoid(x, y);
  EXPECT_TRUE(test::near(y, std::vector<float>{0.0F, 0.0F, 0.5F, 0.731058579F, 1.0F, 1.0F}, 1e-7F));
}

TEST(ElementwiseTest, RowsOfStridedViews) {
  const std::vector<float> a = normals(40, 1);
  const std::vector<float> b = normals(40, 2);
  const std::vector<float> factor = {2.0F, -1.0F, 0.5F};
  const ConstMatrix x(a.data() + 1, 3, 5, 8);
  const ConstMatrix z(b.data() + 2, 3, 5, 7);
  std::vector<float> y(15, 1.0F);
  scale_rows(x, factor, {y.data(), 3, 5}, true);
  std::vector<float> dots(3, 1.0F);
  row_dots(x, z, dots, true);
  std::vector<float> y_expected(15, 1.0F);
  scale_rows_reference(x, factor, {y_expected.data(), 3, 5}, true);
  EXPECT_TRUE(test::near(y, y_expected, test::accumulation_tolerance(1, test::max_abs(y_expected))));
  std::vector<float> dots_expected(3, 1.0F);
  row_dots_reference(x, z, dots_expected, true);
  EXPECT_TRUE(test::near(dots, dots_expected, 1e-6F));
}

TEST(ElementwiseTest, SumsHaveOneOrder) {
  for (const std::size_t size : {0, 1, 15, 33, 4097, 100003}) {
    const std::vector<float> storage = normals(size + 1, 4);
    const std::span<const float> x = std::span(storage).subspan(1);
    const double expected = sum_reference(x);
    const double squares = sum_of_squares_reference(x);
    test::for_each_isa([&] {
      EXPECT_NEAR(sum(x), expected, 1e-9) << size;
      EXPECT_NEAR(sum_of_squares(x), squares, 1e-8) << size;
      const int threads = num_threads();
      const double with_all = sum(x);
      set_num_threads(1);
      EXPECT_EQ(sum(x), with_all);
      set_num_threads(threads);
    });
  }
}

}  // namespace kernels_elementwise_test
}  // namespace witan::kernels
