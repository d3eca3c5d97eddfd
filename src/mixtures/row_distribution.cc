// Moments of a mixture from those of its experts; quantiles are roots of its distribution function, modes are climbed
// to on its density.
#include "mixtures/row_distribution.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/random.h"
#include "kernels/columns.h"
#include "mixtures/bracketed_root.h"

namespace witan::mixtures {
namespace {

constexpr int kClimbSteps = 10'000;
constexpr double kSameMode = 1e-5;  // of the narrowest expert's standard deviation

// In place; returns the logarithm of the sum.
double normalize(std::vector<double>& logs) {
  std::vector<double*> columns;
  columns.reserve(logs.size());
  for (double& value : logs) columns.push_back(&value);
  double log_sum = 0.0;
  kernels::column_softmax_reference(columns, 1, &log_sum);
  return log_sum;
}

double log_sum_exp(const std::vector<double>& logs) {
  const double largest = *std::max_element(logs.begin(), logs.end());
  double sum = 0.0;
  for (const double value : logs) sum += std::exp(value - largest);
  return largest + std::log(sum);
}

}  // namespace

RowDistribution::RowDistribution(const Model& model, const Prepared& rows, std::int64_t row)
    : model_(model), rows_(rows), row_(row), log_gate_(static_cast<std::size_t>(model.num_experts())) {
  std::vector<double*> columns;
  for (double& value : log_gate_) columns.push_back(&value);
  model.gate().log_probabilities(rows.data().gate_rows, row, 1, columns);
  gate_ = log_gate_;
  const double log_inputs = normalize(gate_);
  for (double& value : log_gate_) value -= log_inputs;
  for (int k = 0; k < model.num_experts(); ++k)
    heads_.push_back(model.experts().head_values(rows.data().expert_rows, k, row));
}

std::size_t RowDistribution::outputs() const {
  return classes() ? rows_.frame().classes.size() : rows_.frame().targets.size();
}

ColumnScale RowDistribution::unit(std::size_t output) const {
  return classes() ? ColumnScale{} : rows_.frame().target_scales[output];
}

std::vector<double> RowDistribution::expert_mean(int expert) const {
  std::vector<double> means = model_.experts().mean(expert, heads_[static_cast<std::size_t>(expert)].data());
  for (std::size_t d = 0; d < means.size(); ++d) means[d] = unit(d).center + unit(d).scale * means[d];
  return means;
}

std::vector<double> RowDistribution::mean() const {
  std::vector<double> means(outputs(), 0.0);
  for (std::size_t k = 0; k < gate_.size(); ++k) {
    const std::vector<double> of_expert = expert_mean(static_cast<int>(k));
    for (std::size_t d = 0; d < means.size(); ++d) means[d] += gate_[k] * of_expert[d];
  }
  return means;
}

std::vector<double> RowDistribution::deviation() const {
  if (classes()) return {};
  const std::vector<double> means = mean();
  std::vector<double> squares(means.size(), 0.0);  // second moments about the mixture's mean
  for (std::size_t k = 0; k < gate_.size(); ++k) {
    if (gate_[k] == 0.0) continue;
    const std::vector<double> of_expert = expert_mean(static_cast<int>(k));
    const std::vector<double> variances = model_.experts().variance(static_cast<int>(k), heads_[k].data());
    for (std::size_t d = 0; d < means.size(); ++d) {
      const double distance = of_expert[d] - means[d];
      squares[d] += gate_[k] * (variances[d] * unit(d).scale * unit(d).scale + distance * distance);
    }
  }
  for (double& value : squares) value = std::sqrt(value);
  return squares;
}

double RowDistribution::standardized_cdf(double z) const {
  double sum = 0.0;
  for (std::size_t k = 0; k < gate_.size(); ++k) {
    if (gate_[k] > 0.0) sum += gate_[k] * model_.experts().cdf(static_cast<int>(k), heads_[k].data(), 0, z);
  }
  return sum;
}

double RowDistribution::cdf(double y) const { return standardized_cdf((y - unit(0).center) / unit(0).scale); }

double RowDistribution::quantile(double level) const {
  // A bracket around the experts' means, widened until it holds the level.
  double low = std::numeric_limits<double>::infinity();
  double high = -low;
  double width = 0.0;
  for (std::size_t k = 0; k < gate_.size(); ++k) {
    const double mean = model_.experts().mean(static_cast<int>(k), heads_[k].data())[0];
    const double variance = model_.experts().variance(static_cast<int>(k), heads_[k].data())[0];
    low = std::min(low, mean);
    high = std::max(high, mean);
    if (std::isfinite(variance)) width = std::max(width, std::sqrt(variance));
  }
  width = width > 0.0 ? width : 1.0;
  for (double step = width; standardized_cdf(low) > level && std::isfinite(low); step *= 2.0) low -= step;
  for (double step = width; standardized_cdf(high) < level && std::isfinite(high); step *= 2.0) high += step;
  if (rows_.frame().target_kind == TargetKind::kCount) {
    // The least count whose distribution function reaches the level.
    low = std::floor(std::max(low, -1.0)) - 1.0;
    high = std::ceil(high);
    while (high - low > 1.0) {
      const double middle = std::floor(0.5 * (low + high));
      (standardized_cdf(middle) >= level ? high : low) = middle;
    }
    return std::max(high, 0.0);
  }
  if (low < high && std::isfinite(low) && std::isfinite(high)) {
    high = bracketed_root([&](double z) { return standardized_cdf(z) - level; }, low, high);
  }
  return unit(0).center + unit(0).scale * high;
}

double RowDistribution::pit(double y) const {
  const double above = cdf(y);
  return rows_.frame().target_kind == TargetKind::kCount ? 0.5 * (above + cdf(y - 1.0)) : above;
}

std::vector<double> RowDistribution::log_terms(std::span<const double> targets) const {
  std::vector<double> z(targets.begin(), targets.end());
  for (std::size_t d = 0; d < z.size(); ++d) z[d] = (z[d] - unit(d).center) / unit(d).scale;
  std::vector<double> terms = log_gate_;
  for (std::size_t k = 0; k < terms.size(); ++k)
    terms[k] += model_.experts().log_density_at(static_cast<int>(k), heads_[k].data(), z.data());
  return terms;
}

double RowDistribution::log_density(std::span<const double> targets) const {
  double shift = 0.0;
  for (std::size_t d = 0; d < targets.size(); ++d) shift += std::log(unit(d).scale);
  return log_sum_exp(log_terms(targets)) - shift;
}

std::vector<double> RowDistribution::posterior(std::span<const double> targets) const {
  std::vector<double> terms = log_terms(targets);
  normalize(terms);
  return terms;
}

double RowDistribution::standardized_log_density(double z) const {
  std::vector<double> terms = log_gate_;
  for (std::size_t k = 0; k < terms.size(); ++k)
    terms[k] += model_.experts().log_density_at(static_cast<int>(k), heads_[k].data(), &z);
  return log_sum_exp(terms);
}

// To the top of the hill that `from` stands on, in steps too short to leave it.
double RowDistribution::climb(double from, double step) const {
  double at = from;
  double here = standardized_log_density(at);
  const double direction = standardized_log_density(at + 1e-3 * step) > here ? 1.0 : -1.0;
  for (int i = 0; i < kClimbSteps; ++i) {
    const double there = standardized_log_density(at + direction * step);
    if (there <= here) break;
    at += direction * step;
    here = there;
  }
  // Golden section between the neighbours.
  const bool positive = rows_.frame().target_kind == TargetKind::kPositive;
  double low = positive ? std::max(at - step, 0.0) : at - step;
  double high = at + step;
  constexpr double kGolden = 0.6180339887498949;
  while (high - low > 1e-7 * step) {
    const double a = high - kGolden * (high - low);
    const double b = low + kGolden * (high - low);
    if (standardized_log_density(a) < standardized_log_density(b)) {
      low = a;
    } else {
      high = b;
    }
  }
  const double top = 0.5 * (low + high);
  // A density of positive numbers may have its maximum at 0, where it may be infinite.
  return positive && top < step && standardized_log_density(0.0) >= standardized_log_density(top) ? 0.0 : top;
}

std::vector<double> RowDistribution::modes() const {
  if (classes() || outputs() != 1) return {};
  const bool counts = rows_.frame().target_kind == TargetKind::kCount;
  double narrowest = std::numeric_limits<double>::infinity();
  for (std::size_t k = 0; k < gate_.size(); ++k) {
    const double variance = model_.experts().variance(static_cast<int>(k), heads_[k].data())[0];
    if (std::isfinite(variance) && variance > 0.0) narrowest = std::min(narrowest, std::sqrt(variance));
  }
  if (!std::isfinite(narrowest)) narrowest = 1.0;
  std::vector<double> found;
  for (std::size_t k = 0; k < gate_.size(); ++k) {
    const double mean = model_.experts().mean(static_cast<int>(k), heads_[k].data())[0];
    if (counts) {
      double at = std::floor(mean);
      const auto rises = [&](double by) {
        return at + by >= 0.0 && standardized_log_density(at + by) > standardized_log_density(at);
      };
      for (const double by : {-1.0, 1.0}) {
        for (int i = 0; i < kClimbSteps && rises(by); ++i) at += by;
      }
      found.push_back(at);
    } else {
      found.push_back(climb(mean, 0.1 * narrowest));
    }
  }
  std::sort(found.begin(), found.end());
  std::vector<double> result;
  for (const double z : found) {
    const double y = unit(0).center + unit(0).scale * z;
    if (result.empty() || y - result.back() > kSameMode * narrowest * unit(0).scale) result.push_back(y);
  }
  return result;
}

std::optional<double> RowDistribution::crps(double y) const {
  const Experts& experts = model_.experts();
  if (!experts.has_mean_distances() || outputs() != 1) return std::nullopt;
  const double z = (y - unit(0).center) / unit(0).scale;
  const int count = model_.num_experts();
  double score = 0.0;
  for (int k = 0; k < count; ++k) {
    const auto of_k = static_cast<std::size_t>(k);
    if (gate_[of_k] == 0.0) continue;
    score += gate_[of_k] * experts.mean_distance(k, heads_[of_k].data(), z);
    for (int l = 0; l < count; ++l) {
      const auto of_l = static_cast<std::size_t>(l);
      if (gate_[of_l] == 0.0) continue;
      score -=
          0.5 * gate_[of_k] * gate_[of_l] * experts.mean_difference(k, heads_[of_k].data(), l, heads_[of_l].data());
    }
  }
  return score * unit(0).scale;
}

std::vector<double> RowDistribution::draw(Random& random) const {
  double left = random.uniform_open();
  std::size_t k = 0;
  while (k + 1 < gate_.size() && left >= gate_[k]) left -= gate_[k++];
  std::vector<double> targets(rows_.frame().targets.size());
  model_.experts().draw(static_cast<int>(k), heads_[k].data(), random, targets.data());
  for (std::size_t d = 0; d < targets.size(); ++d) targets[d] = unit(d).center + unit(d).scale * targets[d];
  return targets;
}

std::vector<double> RowDistribution::own_targets() const {
  std::vector<double> targets;
  for (const Column column : rows_.data().expert_rows.targets) {
    const std::size_t d = targets.size();
    targets.push_back(unit(d).center + unit(d).scale * column[row_]);
  }
  return targets;
}

}  // namespace witan::mixtures
