// A V = U B with orthonormal U and V and an upper bidiagonal B of few columns, whose largest singular value is found by
// bisection.
#include "inspection/spectral_norm.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "base/random.h"
#include "kernels/gemm.h"

namespace witan {
namespace {

constexpr std::size_t kMostSteps = 64;
constexpr double kEnough = 1e-7;   // relative change of a step
constexpr double kNothing = 1e-6;  // of the norm so far: below, a direction is rounding

using Vector = std::vector<double>;

double norm_of(const Vector& x) {
  double sum = 0.0;
  for (const double value : x) sum += value * value;
  return std::sqrt(sum);
}

void scale(Vector& x, double factor) {
  for (double& value : x) value *= factor;
}

// matrix x, or its transpose times x.
Vector product(ConstMatrix matrix, const Vector& x, bool transposed) {
  const std::vector<float> in(x.begin(), x.end());
  std::vector<float> out(static_cast<std::size_t>(transposed ? matrix.cols : matrix.rows));
  kernels::gemm(transposed ? kernels::Op::kTransposed : kernels::Op::kPlain, kernels::Op::kPlain, matrix,
                ConstMatrix(in.data(), static_cast<std::int64_t>(in.size()), 1), 0.0F,
                Matrix(out.data(), static_cast<std::int64_t>(out.size()), 1));
  return {out.begin(), out.end()};
}

// Takes what lies along the basis out of x: twice, since once leaves rounding errors.
void make_orthogonal(const std::vector<Vector>& basis, Vector& x) {
  for (int pass = 0; pass < 2; ++pass) {
    for (const Vector& direction : basis) {
      double along = 0.0;
      for (std::size_t i = 0; i < x.size(); ++i) along += direction[i] * x[i];
      for (std::size_t i = 0; i < x.size(); ++i) x[i] -= along * direction[i];
    }
  }
}

// Of the bidiagonal matrix with `alphas` on the diagonal and `betas` above it, by Sturm's sequence of B' B.
double largest_singular_value(const Vector& alphas, const Vector& betas) {
  const std::size_t size = alphas.size();
  Vector diagonal(size);
  Vector beside(size, 0.0);
  double high = 0.0;
  for (std::size_t i = 0; i < size; ++i) {
    diagonal[i] = alphas[i] * alphas[i] + (i > 0 ? betas[i - 1] * betas[i - 1] : 0.0);
    if (i + 1 < size) beside[i] = alphas[i] * betas[i];
    high = std::max(high, diagonal[i] + std::abs(beside[i]) + (i > 0 ? std::abs(beside[i - 1]) : 0.0));
  }
  const auto exceeds_all = [&](double x) {
    double pivot = 1.0;
    for (std::size_t i = 0; i < size; ++i) {
      pivot = x - diagonal[i] - (i > 0 ? beside[i - 1] * beside[i - 1] / pivot : 0.0);
      if (pivot <= 0.0) return false;
    }
    return true;
  };
  double low = 0.0;
  constexpr int kHalvings = 60;
  for (int i = 0; i < kHalvings; ++i) {
    const double middle = 0.5 * (low + high);
    (exceeds_all(middle) ? high : low) = middle;
  }
  return std::sqrt(0.5 * (low + high));
}

}  // namespace

double spectral_norm(ConstMatrix matrix) {
  if (matrix.size() == 0) return 0.0;
  Random random(0);
  std::vector<float> start(static_cast<std::size_t>(matrix.cols));
  random.fill_normal(start, 0.0F, 1.0F);
  std::vector<Vector> right;
  std::vector<Vector> left;
  Vector alphas;
  Vector betas;
  Vector v(start.begin(), start.end());
  scale(v, 1.0 / norm_of(v));
  Vector u = product(matrix, v, false);
  double sigma = 0.0;
  while (true) {
    make_orthogonal(left, u);
    const double alpha = norm_of(u);
    right.push_back(v);
    alphas.push_back(alpha);
    const double before = sigma;
    sigma = largest_singular_value(alphas, betas);
    const bool settled = alphas.size() > 2 && sigma - before <= kEnough * sigma;
    if (alpha <= kNothing * sigma || settled || alphas.size() == kMostSteps) return sigma;
    scale(u, 1.0 / alpha);
    left.push_back(u);

    v = product(matrix, u, true);
    make_orthogonal(right, v);
    const double beta = norm_of(v);
    if (beta <= kNothing * sigma) return sigma;
    scale(v, 1.0 / beta);
    betas.push_back(beta);
    u = product(matrix, v, false);
  }
}

}  // namespace witan
