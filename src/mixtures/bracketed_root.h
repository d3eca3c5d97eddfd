// Where a continuous function of one variable changes its sign.
#pragma once

#include <cmath>
#include <limits>
#include <utility>

namespace witan::mixtures {

// The root of f between two finite bounds, where f is of different signs or zero, to rounding: inverse quadratic
// interpolation where three points promise it, halving elsewhere (Chandrupatla 1997). Some ten calls of a smooth f, at
// most a few hundred of any other.
template <class Function>
double bracketed_root(const Function& f, double low, double high) {
  constexpr double kRounding = 4.0 * std::numeric_limits<double>::epsilon();
  constexpr int kMostSteps = 400;
  // `a` is the newest point, `b` lies on the other side of the root, `c` is the one that was dropped last.
  double a = high;
  double b = low;
  double fa = f(a);
  double fb = f(b);
  if (fb == 0.0) return b;
  double share = 0.5;  // of the way from a to b
  double best = std::fabs(fa) < std::fabs(fb) ? a : b;
  for (int step = 0; step < kMostSteps; ++step) {
    double c = a;
    double fc = fa;
    const double x = a + share * (b - a);
    const double fx = f(x);
    if (std::signbit(fx) != std::signbit(fa)) {
      c = std::exchange(b, a);
      fc = std::exchange(fb, fa);
    }
    a = x;
    fa = fx;
    best = std::fabs(fa) < std::fabs(fb) ? a : b;
    const double least = (kRounding * std::fabs(best) + std::numeric_limits<double>::min()) / std::fabs(b - a);
    if (fa == 0.0 || !(least < 0.5)) break;
    const double width = (a - b) / (c - b);
    const double height = (fa - fb) / (fc - fb);
    const bool smooth = height * height < width && (1.0 - height) * (1.0 - height) < 1.0 - width;
    share = smooth ? fa / (fb - fa) * fc / (fb - fc) + (c - a) / (b - a) * fa / (fc - fa) * fb / (fc - fb) : 0.5;
    share = std::fmin(std::fmax(share, least), 1.0 - least);
  }
  return best;
}

}  // namespace witan::mixtures
