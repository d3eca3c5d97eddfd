// Incomplete beta and gamma functions by series and continued fractions, polygammas by asymptotic series.
#include "mixtures/distributions.h"

#include <cmath>
#include <numbers>

#include "base/random.h"

namespace witan::mixtures {
namespace {

constexpr double kTiny = 1e-300;  // keeps Lentz's quotients from dividing by zero
constexpr double kEpsilon = 1e-16;
constexpr int kSeriesTerms = 100000;

double away_from_zero(double value) { return std::fabs(value) < kTiny ? kTiny : value; }

double beta_fraction(double a, double b, double x) {
  double c = 1.0;
  double d = 1.0 / away_from_zero(1.0 - (a + b) * x / (a + 1.0));
  double result = d;
  for (int m = 1; m < kSeriesTerms; ++m) {
    const double even = m * (b - m) * x / ((a + 2 * m - 1.0) * (a + 2 * m));
    d = 1.0 / away_from_zero(1.0 + even * d);
    c = away_from_zero(1.0 + even / c);
    result *= d * c;
    const double odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1.0));
    d = 1.0 / away_from_zero(1.0 + odd * d);
    c = away_from_zero(1.0 + odd / c);
    const double change = d * c;
    result *= change;
    if (std::fabs(change - 1.0) < kEpsilon) break;
  }
  return result;
}

}  // namespace

double beta_cdf(double x, double a, double b) {
  if (x <= 0.0) return 0.0;
  if (x >= 1.0) return 1.0;
  const double front =
      std::exp(std::lgamma(a + b) - std::lgamma(a) - std::lgamma(b) + a * std::log(x) + b * std::log1p(-x));
  // The fraction converges fast on this side of the mean only.
  if (x < (a + 1.0) / (a + b + 2.0)) return front * beta_fraction(a, b, x) / a;
  return 1.0 - front * beta_fraction(b, a, 1.0 - x) / b;
}

namespace {

// x^a exp(-x) / Gamma(a), x > 0.
double gamma_front(double a, double x) {
  const double distance = (x - a) / a;
  const double log_ratio = std::fabs(distance) < 0.5 ? std::log1p(distance) : std::log(x / a);
  return std::exp(gamma_normalizer(a)[0] - a * (distance - log_ratio));
}

// The regularised incomplete gamma function: P(a, x) below x = a + 1, where its series converges fast,
double lower_gamma_series(double a, double x) {
  double term = 1.0 / a;
  double sum = term;
  for (int n = 1; n < kSeriesTerms; ++n) {
    term *= x / (a + n);
    sum += term;
    if (term < sum * kEpsilon) break;
  }
  return sum * gamma_front(a, x);
}

// and 1 - P(a, x) above.
double upper_gamma_fraction(double a, double x) {
  double b = x + 1.0 - a;
  double c = 1.0 / kTiny;
  double d = 1.0 / away_from_zero(b);
  double result = d;
  for (int i = 1; i < kSeriesTerms; ++i) {
    const double numerator = -i * (i - a);
    b += 2.0;
    d = 1.0 / away_from_zero(numerator * d + b);
    c = away_from_zero(b + numerator / c);
    const double change = d * c;
    result *= change;
    if (std::fabs(change - 1.0) < kEpsilon) break;
  }
  return gamma_front(a, x) * result;
}

}  // namespace

double digamma(double x) {
  double result = 0.0;
  for (; x < 10.0; x += 1.0) result -= 1.0 / x;
  const double s = 1.0 / (x * x);
  return result + std::log(x) - 0.5 / x -
         s * (1.0 / 12 - s * (1.0 / 120 - s * (1.0 / 252 - s * (1.0 / 240 - s * (1.0 / 132 - s * 691.0 / 32760)))));
}

double trigamma(double x) {
  double result = 0.0;
  for (; x < 10.0; x += 1.0) result += 1.0 / (x * x);
  const double s = 1.0 / (x * x);
  return result + 1.0 / x + 0.5 * s +
         s / x * (1.0 / 6 - s * (1.0 / 30 - s * (1.0 / 42 - s * (1.0 / 30 - s * (5.0 / 66 - s * 691.0 / 2730)))));
}

double normal_cdf(double z) { return 0.5 * std::erfc(-z / std::numbers::sqrt2); }

double student_t_cdf(double t, double nu) {
  const double tail = 0.5 * beta_cdf(nu / (nu + t * t), 0.5 * nu, 0.5);
  return t > 0.0 ? 1.0 - tail : tail;
}

double laplace_cdf(double z) { return z < 0.0 ? 0.5 * std::exp(z) : 1.0 - 0.5 * std::exp(-z); }

std::array<double, 3> gamma_normalizer(double a) {
  if (a < 10.0) return {a * std::log(a) - a - std::lgamma(a), std::log(a) - digamma(a), 1.0 / a - trigamma(a)};
  const double r = 1.0 / a;
  const double s = r * r;
  const double rest =
      r * (1.0 / 12 - s * (1.0 / 360 - s * (1.0 / 1260 - s * (1.0 / 1680 - s * (1.0 / 1188 - s * 691.0 / 360360)))));
  const double first =
      0.5 * r +
      s * (1.0 / 12 - s * (1.0 / 120 - s * (1.0 / 252 - s * (1.0 / 240 - s * (1.0 / 132 - s * 691.0 / 32760)))));
  const double second =
      -0.5 * s -
      r * s * (1.0 / 6 - s * (1.0 / 30 - s * (1.0 / 42 - s * (1.0 / 30 - s * (5.0 / 66 - s * 691.0 / 2730)))));
  return {0.5 * std::log(a / (2.0 * std::numbers::pi)) - rest, first, second};
}

double gamma_cdf(double x, double shape) {
  if (!(x > 0.0)) return 0.0;
  return x < shape + 1.0 ? lower_gamma_series(shape, x) : 1.0 - upper_gamma_fraction(shape, x);
}

double poisson_cdf(double y, double mean) {
  if (y < 0.0) return 0.0;
  const double a = std::floor(y) + 1.0;
  if (!(mean > 0.0)) return 1.0;
  return mean < a + 1.0 ? 1.0 - lower_gamma_series(a, mean) : upper_gamma_fraction(a, mean);
}

double draw_gamma(double shape, Random& random) {
  if (shape < 1.0) return draw_gamma(shape + 1.0, random) * std::pow(random.uniform_open(), 1.0 / shape);
  const double d = shape - 1.0 / 3.0;
  const double c = 1.0 / std::sqrt(9.0 * d);
  while (true) {
    const double z = random.normal();
    const double v = std::pow(1.0 + c * z, 3.0);
    if (v > 0.0 && std::log(random.uniform_open()) < 0.5 * z * z + d - d * v + d * std::log(v)) return d * v;
  }
}

}  // namespace witan::mixtures
