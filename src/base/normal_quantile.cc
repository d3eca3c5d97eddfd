// Ratios of polynomials, one each for the middle, the tails and the far tails.
#include "base/normal_quantile.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "base/error.h"

namespace witan {
namespace {

struct Ratio {
  std::array<double, 8> above;  // coefficients of x^0 to x^7
  std::array<double, 8> below;

  double operator()(double x) const {
    double numerator = 0.0;
    double denominator = 0.0;
    for (std::size_t i = above.size(); i-- > 0;) {
      numerator = numerator * x + above[i];
      denominator = denominator * x + below[i];
    }
    return numerator / denominator;
  }
};

constexpr Ratio kMiddle = {
    {3.3871328727963666080e0, 1.3314166789178437745e2, 1.9715909503065514427e3, 1.3731693765509461125e4,
     4.5921953931549871457e4, 6.7265770927008700853e4, 3.3430575583588128105e4, 2.5090809287301226727e3},
    {1.0, 4.2313330701600911252e1, 6.8718700749205790830e2, 5.3941960214247511077e3, 2.1213794301586595867e4,
     3.9307895800092710610e4, 2.8729085735721942674e4, 5.2264952788528545610e3}};
constexpr Ratio kTail = {
    {1.42343711074968357734e0, 4.63033784615654529590e0, 5.76949722146069140550e0, 3.64784832476320460504e0,
     1.27045825245236838258e0, 2.41780725177450611770e-1, 2.27238449892691845833e-2, 7.74545014278341407640e-4},
    {1.0, 2.05319162663775882187e0, 1.67638483018380384940e0, 6.89767334985100004550e-1, 1.48103976427480074590e-1,
     1.51986665636164571966e-2, 5.47593808499534494600e-4, 1.05075007164441684324e-9}};
constexpr Ratio kFarTail = {
    {6.65790464350110377720e0, 5.46378491116411436990e0, 1.78482653991729133580e0, 2.96560571828504891230e-1,
     2.65321895265761230930e-2, 1.24266094738807843860e-3, 2.71155556874348757815e-5, 2.01033439929228813265e-7},
    {1.0, 5.99832206555887937690e-1, 1.36929880922735805310e-1, 1.48753612908506148525e-2, 7.86869131145613259100e-4,
     1.84631831751005468180e-5, 1.42151175831644588870e-7, 2.04426310338993978564e-15}};

constexpr double kMiddleHalf = 0.425;  // of the probabilities that kMiddle serves, around 0.5

double outside_the_middle(double probability) {
  const double depth = std::sqrt(-std::log(std::min(probability, 1.0 - probability)));
  return std::copysign(depth <= 5.0 ? kTail(depth - 1.6) : kFarTail(depth - 5.0), probability - 0.5);
}

// The middle's formula for so many values at once: a shape that the compiler turns into vector instructions.
constexpr std::size_t kLanes = 8;

void middle(const double* shares, double* quantiles) {
  std::array<double, kLanes> x;
  std::array<double, kLanes> numerator{};
  std::array<double, kLanes> denominator{};
  for (std::size_t lane = 0; lane < kLanes; ++lane) x[lane] = 0.180625 - shares[lane] * shares[lane];
  for (std::size_t i = kMiddle.above.size(); i-- > 0;) {
    for (std::size_t lane = 0; lane < kLanes; ++lane) {
      numerator[lane] = numerator[lane] * x[lane] + kMiddle.above[i];
      denominator[lane] = denominator[lane] * x[lane] + kMiddle.below[i];
    }
  }
  for (std::size_t lane = 0; lane < kLanes; ++lane) {
    quantiles[lane] = shares[lane] * (numerator[lane] / denominator[lane]);
  }
}

}  // namespace

double normal_quantile(double probability) {
  WITAN_ASSERT(probability > 0.0 && probability < 1.0);
  const double share = probability - 0.5;
  if (std::fabs(share) > kMiddleHalf) return outside_the_middle(probability);
  return share * kMiddle(0.180625 - share * share);
}

void normal_quantiles(std::span<double> probabilities) {
  std::size_t i = 0;
  for (; i + kLanes <= probabilities.size(); i += kLanes) {
    std::array<double, kLanes> shares;
    std::array<double, kLanes> quantiles;
    for (std::size_t lane = 0; lane < kLanes; ++lane) shares[lane] = probabilities[i + lane] - 0.5;
    middle(shares.data(), quantiles.data());
    for (std::size_t lane = 0; lane < kLanes; ++lane) {
      double& value = probabilities[i + lane];
      WITAN_ASSERT(value > 0.0 && value < 1.0);
      value = std::fabs(shares[lane]) > kMiddleHalf ? outside_the_middle(value) : quantiles[lane];
    }
  }
  for (; i < probabilities.size(); ++i) probabilities[i] = normal_quantile(probabilities[i]);
}

}  // namespace witan
