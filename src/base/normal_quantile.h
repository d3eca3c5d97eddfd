// The inverse of the standard normal's distribution function.
#pragma once

namespace witan {

// x with P(X <= x) = probability, in (0, 1), to about 1e-16 relative: algorithm AS 241, PPND16 (Wichura 1988, Applied
// Statistics 37). Without a logarithm for the inner 85 %.
double normal_quantile(double probability);

}  // namespace witan
