// AdamW against the formula in double, the gradient norm, clipping, and who is decayed.
#include "training/optimizer.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "base/parallel.h"
#include "base/random.h"
#include "support/compare.h"

namespace witan {
namespace optimizer_test {

Parameter parameter(const std::string& name, std::int64_t size, std::uint64_t seed, bool decay = true) {
  Parameter result{name, Tensor::uninitialized({size}), decay};
  Random(seed).fill_normal(result.value.values(), 0.0F, 1.0F);
  result.value.set_requires_grad(true);
  return result;
}

void give_gradient(const Parameter& parameter, std::uint64_t seed, float scale) {
  Random(seed, 1).fill_normal(parameter.value.grad().accumulator(), 0.0F, scale);
}

// The formula of the header, element by element in double.
struct Plain {
  std::vector<double> w, m, v;
  explicit Plain(const Tensor& start)
      : w(start.values().begin(), start.values().end()), m(w.size(), 0.0), v(w.size(), 0.0) {}
  void step(std::span<const float> gradient, double scale, double rate, double decay, const OptimizerOptions& o,
            int t) {
    for (std::size_t i = 0; i < w.size(); ++i) {
      const double g = static_cast<double>(gradient[i]) * scale;
      m[i] = o.adam_beta1 * m[i] + (1.0 - o.adam_beta1) * g;
      v[i] = o.adam_beta2 * v[i] + (1.0 - o.adam_beta2) * g * g;
      const double first = m[i] / (1.0 - std::pow(o.adam_beta1, t));
      const double second = v[i] / (1.0 - std::pow(o.adam_beta2, t));
      w[i] -= rate * (first / (std::sqrt(second) + o.adam_epsilon) + decay * w[i]);
    }
  }
  std::vector<float> values() const { return {w.begin(), w.end()}; }
};

TEST(OptimizerTest, FollowsTheFormulaWithClippingAndDecay) {
  OptimizerOptions options;
  options.max_grad_norm = 0.5;
  const Parameter matrix = parameter("matrix", 1003, 1, true);
  const Parameter bias = parameter("bias", 17, 2, false);
  Plain plain_matrix(matrix.value);
  Plain plain_bias(bias.value);
  AdamW optimizer({matrix, bias}, options);
  for (int t = 1; t <= 5; ++t) {
    give_gradient(matrix, static_cast<std::uint64_t>(t), 0.1F);
    give_gradient(bias, static_cast<std::uint64_t>(100 + t), 0.1F);
    const double norm = optimizer.gradient_norm();
    ASSERT_GT(norm, 0.5);
    plain_matrix.step(matrix.value.grad().values(), 0.5 / norm, 0.01, options.weight_decay, options, t);
    plain_bias.step(bias.value.grad().values(), 0.5 / norm, 0.01, 0.0, options, t);
    optimizer.step(0.01, norm);
  }
  EXPECT_EQ(optimizer.updates(), 5);
  // A step of at most 0.01 is known to about 1e-5 of itself: f32 moments and powers.
  EXPECT_TRUE(test::near(matrix.value.values(), plain_matrix.values(), 4e-6F));
  EXPECT_TRUE(test::near(bias.value.values(), plain_bias.values(), 4e-6F));
}

TEST(OptimizerTest, NormIsEuclideanOverAllGradients) {
  const Parameter a = parameter("a", 40000, 1);
  const Parameter b = parameter("b", 5, 2);
  const Parameter without = parameter("without", 7, 3);
  const AdamW optimizer({a, b, without}, {});
  EXPECT_EQ(optimizer.gradient_norm(), 0.0);
  give_gradient(a, 4, 1.0F);
  give_gradient(b, 5, 1.0F);
  double sum = 0.0;
  for (const Parameter* p : {&a, &b}) {
    for (const float g : p->value.grad().values()) sum += static_cast<double>(g) * static_cast<double>(g);
  }
  EXPECT_NEAR(optimizer.gradient_norm(), std::sqrt(sum), 1e-10 * std::sqrt(sum));
}

TEST(OptimizerTest, NormDoesNotDependOnTheThreads) {
  const Parameter a = parameter("a", 300001, 1);
  const AdamW optimizer({a}, {});
  give_gradient(a, 4, 1.0F);
  const int threads = num_threads();
  set_num_threads(1);
  const double alone = optimizer.gradient_norm();
  set_num_threads(3);
  const double together = optimizer.gradient_norm();
  set_num_threads(threads);
  EXPECT_EQ(alone, together);
}

TEST(OptimizerTest, ParameterWithoutGradientStays) {
  const Parameter used = parameter("used", 8, 1);
  const Parameter unused = parameter("unused", 8, 2);
  const std::vector<float> before(unused.value.values().begin(), unused.value.values().end());
  AdamW optimizer({used, unused}, {});
  give_gradient(used, 3, 1.0F);
  optimizer.step(0.1, optimizer.gradient_norm());
  EXPECT_TRUE(test::identical(unused.value.values(), before));
  EXPECT_FALSE(used.value.grad().present());
}

TEST(OptimizerTest, StateContinuesElsewhere) {
  const Parameter first = parameter("w", 33, 1);
  const Parameter second{"w", Tensor::from({33}, first.value.values())};
  Parameter copy = second;
  copy.value.set_requires_grad(true);
  AdamW one({first}, {});
  AdamW other({copy}, {});
  give_gradient(first, 7, 1.0F);
  one.step(0.1, one.gradient_norm());
  const auto saved = one.state();
  const auto restored = other.state();
  ASSERT_EQ(saved.size(), 2U);
  EXPECT_EQ(saved[0].name, "first_moment.w");
  EXPECT_EQ(saved[1].name, "second_moment.w");
  for (std::size_t i = 0; i < saved.size(); ++i) {
    std::copy_n(saved[i].value.data(), saved[i].value.numel(), restored[i].value.data());
  }
  std::copy_n(first.value.data(), 33, copy.value.data());
  other.set_updates(one.updates());
  give_gradient(first, 8, 1.0F);
  give_gradient(copy, 8, 1.0F);
  one.step(0.1, one.gradient_norm());
  other.step(0.1, other.gradient_norm());
  EXPECT_TRUE(test::identical(copy.value.values(), first.value.values()));
}

TEST(OptimizerTest, RowsWithoutGradientStay) {
  const auto make = [] {
    Parameter table{"table", Tensor::uninitialized({5, 3})};
    Random(1).fill_normal(table.value.values(), 0.0F, 1.0F);
    table.value.set_requires_grad(true);
    return table;
  };
  const Parameter in_rows = make();
  const Parameter whole = make();
  const std::vector<float> before(in_rows.value.values().begin(), in_rows.value.values().end());
  AdamW one({in_rows}, {});
  AdamW other({whole}, {});
  const std::vector<std::int32_t> rows = {1, 4};
  for (int step = 0; step < 2; ++step) {
    for (float* const row : in_rows.value.grad().add_rows(rows)) std::fill_n(row, 3, 0.5F);
    const std::span<float> all = whole.value.grad().accumulator();
    for (const std::int32_t row : rows) std::fill_n(all.data() + row * 3, 3, 0.5F);
    EXPECT_EQ(one.gradient_norm(), other.gradient_norm());
    one.step(0.1, one.gradient_norm());
    other.step(0.1, other.gradient_norm());
  }
  for (std::int64_t row = 0; row < 5; ++row) {
    const bool named = row == 1 || row == 4;
    const float* const expected = named ? whole.value.matrix().row(row) : before.data() + row * 3;
    EXPECT_TRUE(test::identical({in_rows.value.matrix().row(row), 3}, {expected, 3})) << row;
  }
}

}  // namespace optimizer_test
}  // namespace witan
