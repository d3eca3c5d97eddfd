// Special functions that the standard library lacks: distribution functions and derivatives of log Gamma.
#pragma once

#include <array>

namespace witan {
class Random;
}

namespace witan::mixtures {

double normal_cdf(double z);
// Student's t with nu > 0 degrees of freedom, by the regularised incomplete beta function (continued fraction, modified
// Lentz; Abramowitz & Stegun 26.5.8).
double student_t_cdf(double t, double nu);
double laplace_cdf(double z);  // of scale 1
// P(Y <= y) of a Poisson variable with this mean, by the regularised incomplete gamma function (A&S 6.5.29, 6.5.31).
double poisson_cdf(double y, double mean);

// P(Y <= x) of gamma and beta variables, the regularised incomplete gamma and beta functions; x in (0, inf), (0, 1).
double gamma_cdf(double x, double shape);
double beta_cdf(double x, double a, double b);

// c(a) = a log a - a - log Gamma(a) with its first two derivatives, a > 0: what normalises a gamma density of mean 1.
// By Stirling's series from 10 on, where the terms would cancel.
std::array<double, 3> gamma_normalizer(double a);

// A draw from the gamma distribution of this shape and scale 1 (Marsaglia & Tsang 2000).
double draw_gamma(double shape, Random& random);

// First and second derivative of log Gamma at x > 0 (recurrence to x >= 10, then A&S 6.3.18 and 6.4.12).
double digamma(double x);
double trigamma(double x);

}  // namespace witan::mixtures
