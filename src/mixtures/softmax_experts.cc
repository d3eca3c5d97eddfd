// Logistic and multinomial logistic experts.
#include "mixtures/softmax_experts.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "base/random.h"
#include "kernels/columns.h"
#include "mixtures/softmax_regression.h"

namespace witan::mixtures {
namespace {

constexpr int kExpertNewtonSteps = 2;

}  // namespace

SoftmaxExperts::SoftmaxExperts(int experts, int inputs, int classes, double ridge)
    : classes_(classes), inputs_(inputs) {
  for (int k = 0; k < experts; ++k) {
    std::vector<int> heads;
    for (int c = 1; c < classes; ++c) heads.push_back(add_head(true, inputs));
    add_expert(std::move(heads));
  }
  penalize_all(ridge);
}

void SoftmaxExperts::log_density(const Rows& rows, std::int64_t begin, std::int64_t count,
                                 std::span<double* const> out) const {
  const Columns x = block_of(rows.inputs, begin);
  const double* y = rows.targets[0] + begin;
  Eigen::MatrixXd logits(kBlockRows, classes_);
  std::vector<double*> columns;
  for (Eigen::Index c = 0; c < classes_; ++c) columns.push_back(logits.col(c).data());
  Eigen::VectorXd log_sums(kBlockRows);
  for (int k = 0; k < num_experts(); ++k) {
    double* density = out[static_cast<std::size_t>(k)];
    logits.col(0).setZero();
    for (int c = 1; c < classes_; ++c) {
      kernels::linear_combination(x, coefficients(heads_of(k)[static_cast<std::size_t>(c) - 1]), count,
                                  logits.col(c).data());
    }
    for (std::int64_t i = 0; i < count; ++i) density[i] = logits(i, static_cast<Eigen::Index>(y[i]));
    kernels::column_softmax(columns, count, log_sums.data());
    for (std::int64_t i = 0; i < count; ++i) density[i] -= log_sums(i);
  }
}

void SoftmaxExperts::fit(const Rows& rows, const Weights& weights) {
  const Eigen::Index size = (classes_ - 1) * inputs_;
  const Eigen::MatrixXd penalty = penalty_.block(0, 0, size, size);
  for (int k = 0; k < num_experts(); ++k) {
    const double* h = weights.col(k).data();
    const ClassMasses masses = [&](std::int64_t begin, std::int64_t count, std::span<double* const> out) {
      for (std::size_t c = 0; c < out.size(); ++c) {
        for (std::int64_t i = 0; i < count; ++i) {
          out[c][i] = rows.targets[0][begin + i] == static_cast<double>(c) ? h[begin + i] : 0.0;
        }
      }
    };
    Eigen::Map<Eigen::VectorXd> v(coefficients(heads_of(k)[0]), size);
    maximize_softmax(rows, classes_, masses, penalty, kExpertNewtonSteps, v);
  }
}

void SoftmaxExperts::derivatives(int expert, const double* values, const double* targets, double* gradient,
                                 double* hessian) const {
  const std::vector<double> p = mean(expert, values);
  const int m = classes_ - 1;
  for (int a = 0; a < m; ++a) {
    const double pa = p[static_cast<std::size_t>(a) + 1];
    gradient[a] = (targets[0] == a + 1 ? 1.0 : 0.0) - pa;
    for (int b = 0; b < m; ++b) {
      hessian[a * m + b] = -pa * ((a == b ? 1.0 : 0.0) - p[static_cast<std::size_t>(b) + 1]);
    }
  }
}

std::vector<double> SoftmaxExperts::mean(int /*expert*/, const double* heads) const {
  std::vector<double> p(static_cast<std::size_t>(classes_), 0.0);
  for (std::size_t c = 1; c < p.size(); ++c) p[c] = heads[c - 1];
  std::vector<double*> columns;
  for (double& value : p) columns.push_back(&value);
  double log_sum = 0.0;
  kernels::column_softmax_reference(columns, 1, &log_sum);
  return p;
}

std::vector<double> SoftmaxExperts::variance(int /*expert*/, const double* /*heads*/) const { return {}; }

double SoftmaxExperts::cdf(int /*expert*/, const double* /*heads*/, int /*output*/, double /*y*/) const {
  WITAN_ASSERT(false);  // classes have no order
  return 0.0;
}

double SoftmaxExperts::log_density_at(int /*expert*/, const double* heads, const double* targets) const {
  double largest = 0.0;
  for (int c = 1; c < classes_; ++c) largest = std::max(largest, heads[c - 1]);
  double sum = std::exp(-largest);
  for (int c = 1; c < classes_; ++c) sum += std::exp(heads[c - 1] - largest);
  const auto y = static_cast<int>(targets[0]);
  return (y == 0 ? 0.0 : heads[y - 1]) - largest - std::log(sum);
}

void SoftmaxExperts::draw(int expert, const double* heads, Random& random, double* targets) const {
  double left = random.uniform_open();
  const std::vector<double> p = mean(expert, heads);
  std::size_t c = 0;
  while (c + 1 < p.size() && left >= p[c]) left -= p[c++];
  targets[0] = static_cast<double>(c);
}

}  // namespace witan::mixtures
