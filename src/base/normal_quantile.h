// The inverse of the standard normal's distribution function.
#pragma once

#include <span>

namespace witan {

// x with P(X <= x) = probability, in (0, 1), to about 1e-16 relative: algorithm AS 241, PPND16 (Wichura 1988, Applied
// Statistics 37). Without a logarithm for the inner 85 %.
double normal_quantile(double probability);

// Each probability becomes its quantile: the same bits as one by one, several at a time.
void normal_quantiles(std::span<double> probabilities);

}  // namespace witan
