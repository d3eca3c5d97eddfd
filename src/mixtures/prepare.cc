// Checks and standardisation.
#include "mixtures/prepare.h"

#include <fmt/core.h>

#include <Eigen/Core>
#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>

#include "base/error.h"
#include "base/random.h"
#include "kernels/columns.h"

namespace witan::mixtures {
namespace {

constexpr double kConstant = 1e-14;   // a spread below this share of the values is rounding
constexpr double kCollinear = 1e-12;  // share of a column's variance that the columns before it leave

// Rows of weight 0 may hold anything.
void check_finite(const NamedColumn& column, const std::vector<double>& weights, const char* what) {
  for (std::size_t row = 0; row < column.values.size(); ++row) {
    if (!std::isfinite(column.values[row]) && (weights.empty() || weights[row] != 0.0)) {
      fail("{} '{}': row {} is {}, expected a finite number", what, column.name, row + 1, column.values[row]);
    }
  }
}

}  // namespace

std::int64_t drop_weightless(Sample& sample) {
  if (sample.weights.empty()) return 0;
  std::vector<std::size_t> kept;
  for (std::size_t row = 0; row < sample.weights.size(); ++row) {
    const double weight = sample.weights[row];
    if (!std::isfinite(weight) || weight < 0.0)
      fail("weights: row {} has weight {}, expected 0 or more", row + 1, weight);
    if (weight > 0.0) kept.push_back(row);
  }
  if (kept.size() == sample.weights.size()) return 0;
  const auto keep = [&](std::vector<double>& values) {
    for (std::size_t i = 0; i < kept.size(); ++i) values[i] = values[kept[i]];
    values.resize(kept.size());
  };
  const std::int64_t dropped = std::ssize(sample.weights) - std::ssize(kept);
  for (NamedColumn& column : sample.columns) keep(column.values);
  for (NamedColumn& target : sample.targets) keep(target.values);
  keep(sample.weights);
  return dropped;
}

const char* expected_instead(TargetKind kind, double value) {
  constexpr double kLargestCount = 1e15;  // beyond, neighbours are not told apart
  const bool count = value >= 0.0 && value == std::floor(value) && value <= kLargestCount;
  if (kind == TargetKind::kCount && !count) return "a count (0, 1, 2, ...)";
  if (kind == TargetKind::kPositive && !(value > 0.0)) return "a number above 0 (family=gamma has no others)";
  return nullptr;
}

ColumnScale spread_of(double mean, double deviation, double largest) {
  return {mean, deviation <= kConstant * largest ? 0.0 : deviation};
}

namespace {

// Weighted mean and standard deviation (divided by the total weight), safe at any scale.
ColumnScale spread(const std::vector<double>& values, const std::vector<double>& weights) {
  double largest = 0.0;
  for (const double value : values) largest = std::max(largest, std::fabs(value));
  if (largest == 0.0) return {0.0, 0.0};
  double total = 0.0;
  double mean = 0.0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const double weight = weights.empty() ? 1.0 : weights[i];
    total += weight;
    mean += weight * (values[i] / largest);
  }
  mean /= total;
  double squares = 0.0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const double distance = values[i] / largest - mean;
    squares += (weights.empty() ? 1.0 : weights[i]) * distance * distance;
  }
  return spread_of(mean * largest, std::sqrt(squares / total) * largest, largest);
}

void standardize(std::vector<double>& values, const ColumnScale& scale) {
  for (double& value : values) value = (value - scale.center) / scale.scale;
}

void check_target(const NamedColumn& target, TargetKind kind, std::size_t classes) {
  if (kind == TargetKind::kClass) {
    const std::set<double> present(target.values.begin(), target.values.end());
    if (classes < 2 || present.size() < 2)
      fail("target '{}': all rows are of one class, expected two or more", target.name);
    return;
  }
  for (std::size_t row = 0; row < target.values.size(); ++row) {
    const char* expected = expected_instead(kind, target.values[row]);
    if (expected != nullptr)
      fail("target '{}': row {} is {}, expected {}", target.name, row + 1, target.values[row], expected);
  }
}

}  // namespace

std::vector<std::string> Frame::expert_input_names() const {
  std::vector<std::string> names;
  if (expert_intercept) names.emplace_back("(intercept)");
  for (const int column : expert_inputs) names.push_back(columns[static_cast<std::size_t>(column)]);
  return names;
}

std::vector<std::string> Frame::gate_input_names() const {
  std::vector<std::string> names;
  if (gate_intercept) names.emplace_back("(intercept)");
  for (const int column : gate_inputs) names.push_back(columns[static_cast<std::size_t>(column)]);
  return names;
}

double Frame::log_density_shift(bool joint) const {
  double shift = 0.0;
  for (const ColumnScale& scale : target_scales) shift -= std::log(scale.scale);
  if (joint) {
    for (const int column : gate_inputs) shift -= std::log(column_scales[static_cast<std::size_t>(column)].scale);
  }
  return shift;
}

void Prepared::connect() {
  data_ = {};
  const auto column = [&](int number) { return columns_[static_cast<std::size_t>(number)].data(); };
  data_.expert_rows.count = data_.gate_rows.count = rows_;
  if (frame_.expert_intercept) data_.expert_rows.inputs.push_back(nullptr);
  for (const int number : frame_.expert_inputs) data_.expert_rows.inputs.push_back(column(number));
  for (const std::vector<double>& target : targets_) data_.expert_rows.targets.push_back(target.data());
  if (frame_.gate_intercept) data_.gate_rows.inputs.push_back(nullptr);
  for (const int number : frame_.gate_inputs) {
    data_.gate_rows.inputs.push_back(column(number));
    data_.gate_rows.targets.push_back(column(number));
  }
  data_.weights = weights_.empty() ? nullptr : weights_.data();
  data_.total_weight = static_cast<double>(rows_);
  if (!weights_.empty()) {
    data_.total_weight = Eigen::Map<const Eigen::VectorXd>(weights_.data(), static_cast<Eigen::Index>(rows_)).sum();
  }
}

namespace {

// Of `inputs`, those that are linear combinations of the ones before them (and of the column of ones): Cholesky in the
// order given, as R does it. Columns are standardised.
std::vector<int> collinear(const std::vector<std::vector<double>>& columns, const std::vector<int>& inputs,
                           bool intercept) {
  const auto size = static_cast<Eigen::Index>(inputs.size()) + (intercept ? 1 : 0);
  if (size == 0 || inputs.empty()) return {};
  const auto rows = static_cast<std::int64_t>(columns[static_cast<std::size_t>(inputs.front())].size());
  Columns x;
  if (intercept) x.push_back(nullptr);
  for (const int input : inputs) x.push_back(columns[static_cast<std::size_t>(input)].data());
  std::vector<double> sums(static_cast<std::size_t>(size * size));
  sum_blocks(rows, size * size, sums.data(), [&](std::int64_t begin, std::int64_t count, double* partial) {
    kernels::weighted_gram(block_of(x, begin), block_of({nullptr}, 0)[0], count, partial);
  });
  Eigen::MatrixXd gram = Eigen::Map<const Eigen::MatrixXd>(sums.data(), size, size).selfadjointView<Eigen::Lower>();
  const Eigen::VectorXd before = gram.diagonal();
  std::vector<int> dependent;
  for (Eigen::Index j = 0; j < size; ++j) {
    if (gram(j, j) <= kCollinear * before(j)) {
      dependent.push_back(inputs[static_cast<std::size_t>(j - (intercept ? 1 : 0))]);
      continue;
    }
    const Eigen::VectorXd row = gram.row(j).transpose() / std::sqrt(gram(j, j));
    gram.bottomRightCorner(size - j - 1, size - j - 1) -= row.tail(size - j - 1) * row.tail(size - j - 1).transpose();
  }
  return dependent;
}

}  // namespace

Prepared Prepared::from(Sample sample, TargetKind target, std::int64_t experts, const KnownScales* known) {
  Prepared result;
  const std::size_t given = sample.rows();
  for (const NamedColumn& column : sample.columns) WITAN_ASSERT(column.values.size() == given);
  WITAN_ASSERT(sample.weights.empty() || sample.weights.size() == given);
  if (given == 0) fail("data: no rows");
  for (const NamedColumn& column : sample.columns) check_finite(column, sample.weights, "column");
  for (const NamedColumn& column : sample.targets) check_finite(column, sample.weights, "target");
  if (const std::int64_t weightless = drop_weightless(sample); weightless > 0) {
    if (sample.weights.empty()) fail("weights: all {} rows have weight 0", given);
    result.notes_.push_back(fmt::format("{} rows of weight 0 were left out", weightless));
  }
  const std::size_t rows = sample.rows();
  if (rows < 2) fail("data: {} row{}; expected at least 2", rows, sample.weights.empty() ? "" : " of positive weight");
  if (experts > static_cast<std::int64_t>(rows)) fail("fit.experts: experts={} exceeds the {} rows", experts, rows);

  Frame& frame = result.frame_;
  frame.expert_inputs = std::move(sample.expert_inputs);
  frame.gate_inputs = std::move(sample.gate_inputs);
  frame.expert_intercept = sample.expert_intercept;
  frame.gate_intercept = sample.gate_intercept;
  frame.classes = std::move(sample.classes);
  frame.target_kind = target;
  result.rows_ = static_cast<std::int64_t>(rows);
  result.weights_ = std::move(sample.weights);
  const bool centered = frame.expert_intercept && frame.gate_intercept;
  for (NamedColumn& column : sample.columns) {
    ColumnScale scale =
        known == nullptr ? spread(column.values, result.weights_) : known->columns[frame.columns.size()];
    if (scale.scale == 0.0) {
      fail("column '{}': its value is {} in every row; a constant column says nothing that the intercept does not",
           column.name, column.values.front());
    }
    if (!centered) scale.center = 0.0;
    standardize(column.values, scale);
    frame.columns.push_back(std::move(column.name));
    frame.column_scales.push_back(scale);
    result.columns_.push_back(std::move(column.values));
  }
  for (NamedColumn& column : sample.targets) {
    check_target(column, target, frame.classes.size());
    ColumnScale scale;
    if (target == TargetKind::kNumber || target == TargetKind::kPositive) {
      scale = known == nullptr ? spread(column.values, result.weights_) : known->targets[frame.targets.size()];
      if (scale.scale == 0.0)
        fail("target '{}': its value is {} in every row: nothing to fit", column.name, column.values.front());
      // Positive numbers stay so: about 1, where an intercept of their logarithm makes up for it.
      if (target == TargetKind::kPositive) scale = {0.0, frame.expert_intercept ? scale.center : 1.0};
      if (!frame.expert_intercept) scale.center = 0.0;
      standardize(column.values, scale);
    }
    frame.targets.push_back(std::move(column.name));
    frame.target_scales.push_back(scale);
    result.targets_.push_back(std::move(column.values));
  }
  for (auto* inputs : {&frame.expert_inputs, &frame.gate_inputs}) {
    const bool of_experts = inputs == &frame.expert_inputs;
    for (const int column :
         collinear(result.columns_, *inputs, of_experts ? frame.expert_intercept : frame.gate_intercept)) {
      result.notes_.push_back(
          fmt::format("column '{}' is a linear combination of those before it and was left out of the {}",
                      frame.columns[static_cast<std::size_t>(column)], of_experts ? "experts" : "gate"));
      std::erase(*inputs, column);
    }
  }
  result.connect();
  return result;
}

Prepared Prepared::picked(const std::vector<std::size_t>& rows) const {
  Prepared result;
  result.frame_ = frame_;
  result.rows_ = std::ssize(rows);
  const auto pick = [&](const std::vector<double>& from) {
    std::vector<double> to;
    to.reserve(rows.size());
    for (const std::size_t row : rows) to.push_back(from[row]);
    return to;
  };
  for (const auto& column : columns_) result.columns_.push_back(pick(column));
  for (const auto& target : targets_) result.targets_.push_back(pick(target));
  if (!weights_.empty()) result.weights_ = pick(weights_);
  result.connect();
  return result;
}

Prepared Prepared::subsample(std::int64_t count, std::uint64_t seed) const {
  const std::int64_t wanted = std::min(count, rows_);
  // Selection sampling (Knuth, algorithm S): rows in order, each with the probability that makes the count come out.
  Random random(seed, 0x5eed);
  std::vector<std::size_t> chosen;
  for (std::int64_t row = 0; row < rows_ && std::ssize(chosen) < wanted; ++row) {
    const auto needed = static_cast<double>(wanted - std::ssize(chosen));
    if (random.uniform_open() * static_cast<double>(rows_ - row) < needed)
      chosen.push_back(static_cast<std::size_t>(row));
  }
  return picked(chosen);
}

Prepared Prepared::shuffled(std::uint64_t seed) const {
  std::vector<std::size_t> order(static_cast<std::size_t>(rows_));
  std::iota(order.begin(), order.end(), 0);
  Random random(seed, 0x51d3);
  for (std::size_t i = order.size(); i > 1; --i) std::swap(order[i - 1], order[random.below(i)]);
  return picked(order);
}

Prepared Prepared::under(const Frame& frame, Sample sample) {
  Prepared result;
  result.frame_ = frame;
  WITAN_ASSERT(sample.columns.size() == frame.columns.size());
  for (std::size_t j = 0; j < sample.columns.size(); ++j) {
    check_finite(sample.columns[j], {}, "column");
    standardize(sample.columns[j].values, frame.column_scales[j]);
    result.columns_.push_back(std::move(sample.columns[j].values));
  }
  for (std::size_t d = 0; d < sample.targets.size(); ++d) {
    check_finite(sample.targets[d], {}, "target");
    standardize(sample.targets[d].values, frame.target_scales[d]);
    result.targets_.push_back(std::move(sample.targets[d].values));
  }
  result.rows_ = std::ssize(sample.weights);
  result.weights_ = std::move(sample.weights);
  if (!result.columns_.empty()) result.rows_ = static_cast<std::int64_t>(result.columns_.front().size());
  if (!result.targets_.empty()) result.rows_ = static_cast<std::int64_t>(result.targets_.front().size());
  result.connect();
  return result;
}

}  // namespace witan::mixtures
