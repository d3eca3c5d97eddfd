// Spearman's rank correlation and quantiles of a sample.
#pragma once

#include <optional>
#include <span>

namespace witan {

// Pearson's correlation of the ranks, equal values sharing their mean rank (Spearman 1904). a and b have one size.
// Nothing when either has no two different values.
std::optional<double> rank_correlation(std::span<const double> a, std::span<const double> b);

// The q-quantile of the values, q in [0, 1], between neighbours by linear interpolation (type 7 of Hyndman & Fan 1996).
// Nothing without values.
std::optional<double> quantile(std::span<const double> values, double q);

}  // namespace witan
