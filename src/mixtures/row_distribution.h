// The distribution of the target that a mixture gives one row: its inputs are known, its target need not be. In the
// user's units.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "mixtures/model.h"
#include "mixtures/prepare.h"

namespace witan::mixtures {

class RowDistribution {
 public:
  // Row `row` of `rows`, which the model was fitted to or which was prepared under its frame. Both must outlive this.
  RowDistribution(const Model& model, const Prepared& rows, std::int64_t row);

  // w_k(x), adding up to 1 [experts].
  const std::vector<double>& gate() const { return gate_; }
  // Of one expert, and of the mixture: means of each output, or probabilities of the classes.
  std::vector<double> expert_mean(int expert) const;
  std::vector<double> mean() const;
  // Standard deviation of each output; infinite where none exists; empty for classes.
  std::vector<double> deviation() const;

  // Of the first output of a target that is a number or a count:
  double cdf(double y) const;
  // cdf(y), of a count half way up its jump at y.
  double pit(double y) const;
  // The least y with cdf(y) >= level, level in (0, 1).
  double quantile(double level) const;

  // log f of the targets [outputs] (a class by its number).
  double log_density(std::span<const double> targets) const;
  // h_k at these targets, adding up to 1 [experts].
  std::vector<double> posterior(std::span<const double> targets) const;
  // Where the density of a single target that is a number or a count has its maxima, ascending: each is reached by
  // climbing from some expert's mean (Carreira-Perpinan 2000).
  std::vector<double> modes() const;
  // Continuous ranked probability score at y, E|Y - y| - E|Y - Y'| / 2, of a single target where the family has closed
  // forms (of normal mixtures: Grimit et al. 2006); nothing otherwise.
  std::optional<double> crps(double y) const;
  // One draw: targets [outputs] (a class by its number).
  std::vector<double> draw(Random& random) const;

  // Targets of the row itself, in the user's units; empty where its table has none.
  std::vector<double> own_targets() const;

 private:
  std::vector<double> log_terms(std::span<const double> targets) const;  // log w_k f_k, standardised
  double standardized_cdf(double z) const;
  double standardized_log_density(double z) const;
  double climb(double from, double step) const;
  ColumnScale unit(std::size_t output) const;
  bool classes() const { return rows_.frame().target_kind == TargetKind::kClass; }
  std::size_t outputs() const;

  const Model& model_;
  const Prepared& rows_;
  std::int64_t row_;
  std::vector<double> gate_;
  std::vector<double> log_gate_;            // normalised
  std::vector<std::vector<double>> heads_;  // values of each expert's heads, standardised
};

}  // namespace witan::mixtures
