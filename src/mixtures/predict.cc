// Moments of a mixture from those of its experts; quantiles by bisection of its distribution function.
#include "mixtures/predict.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/columns.h"

namespace witan::mixtures {
namespace {

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();
constexpr int kBisections = 200;

double input_at(const Columns& inputs, std::size_t j, std::int64_t row) {
  return inputs[j] == nullptr ? 1.0 : inputs[j][row];
}

// Values of the heads of an expert at a row.
std::vector<double> head_values(const Part& part, const Rows& rows, int expert, std::int64_t row) {
  std::vector<double> values;
  for (const int number : part.heads_of(expert)) {
    const Head& head = part.heads()[static_cast<std::size_t>(number)];
    const double* coefficients = part.parameters().data() + head.offset;
    double value = head.linear ? 0.0 : coefficients[0];
    if (head.linear) {
      for (std::size_t j = 0; j < rows.inputs.size(); ++j) value += coefficients[j] * input_at(rows.inputs, j, row);
    }
    values.push_back(value);
  }
  return values;
}

// In place; returns the logarithm of the sum.
double normalize(std::vector<double>& logs) {
  std::vector<double*> columns;
  for (double& value : logs) columns.push_back(&value);
  double log_sum = 0.0;
  kernels::column_softmax(columns, 1, &log_sum);
  return log_sum;
}

template <class Density>
std::vector<double> logs_of(int experts, const Density& density) {
  std::vector<double> values(static_cast<std::size_t>(experts));
  std::vector<double*> columns;
  for (double& value : values) columns.push_back(&value);
  density(columns);
  return values;
}

}  // namespace

Predictor::Predictor(const Model& model, const Prepared& prepared) : model_(model), prepared_(prepared) {}

double Predictor::cdf(const std::vector<double>& gate, const std::vector<std::vector<double>>& heads, double y) const {
  double sum = 0.0;
  for (std::size_t k = 0; k < gate.size(); ++k) {
    if (gate[k] > 0.0) sum += gate[k] * model_.experts().cdf(static_cast<int>(k), heads[k].data(), 0, y);
  }
  return sum;
}

double Predictor::quantile(const std::vector<double>& gate, const std::vector<std::vector<double>>& heads,
                           double level) const {
  // A bracket around the experts' means, widened until it holds the level.
  double low = std::numeric_limits<double>::infinity();
  double high = -low;
  double width = 0.0;
  for (std::size_t k = 0; k < gate.size(); ++k) {
    const double mean = model_.experts().mean(static_cast<int>(k), heads[k].data())[0];
    const double variance = model_.experts().variance(static_cast<int>(k), heads[k].data())[0];
    low = std::min(low, mean);
    high = std::max(high, mean);
    if (std::isfinite(variance)) width = std::max(width, std::sqrt(variance));
  }
  width = width > 0.0 ? width : 1.0;
  const bool discrete = model_.experts().discrete();
  for (double step = width; cdf(gate, heads, low) > level && std::isfinite(low); step *= 2.0) low -= step;
  for (double step = width; cdf(gate, heads, high) < level && std::isfinite(high); step *= 2.0) high += step;
  if (discrete) {
    // The least count whose distribution function reaches the level.
    low = std::floor(std::max(low, -1.0)) - 1.0;
    high = std::ceil(high);
    while (high - low > 1.0) {
      const double middle = std::floor(0.5 * (low + high));
      (cdf(gate, heads, middle) >= level ? high : low) = middle;
    }
    return std::max(high, 0.0);
  }
  for (int i = 0; i < kBisections && low < high; ++i) {
    const double middle = low + 0.5 * (high - low);
    if (middle <= low || middle >= high) break;
    (cdf(gate, heads, middle) >= level ? high : low) = middle;
  }
  return high;
}

RowPrediction Predictor::row(std::int64_t row, std::span<const double> levels) const {
  const Data& data = prepared_.data();
  const Frame& frame = prepared_.frame();
  const Experts& experts = model_.experts();
  const int num_experts = model_.num_experts();
  RowPrediction result;
  const std::vector<double> log_gate = logs_of(
      num_experts, [&](std::span<double* const> out) { model_.gate().log_probabilities(data.gate_rows, row, 1, out); });
  result.gate = log_gate;
  const double log_inputs = normalize(result.gate);
  std::vector<std::vector<double>> heads;
  for (int k = 0; k < num_experts; ++k) heads.push_back(head_values(experts, data.expert_rows, k, row));

  const bool classes = frame.target_kind == TargetKind::kClass;
  const std::size_t outputs = classes ? frame.classes.size() : frame.targets.size();
  std::vector<double> means(outputs, 0.0);
  std::vector<double> squares(classes ? 0 : outputs, 0.0);  // second moments about the mixture's mean
  std::vector<std::vector<double>> expert_means;
  for (int k = 0; k < num_experts; ++k) {
    expert_means.push_back(experts.mean(k, heads[static_cast<std::size_t>(k)].data()));
    for (std::size_t d = 0; d < outputs; ++d)
      means[d] += result.gate[static_cast<std::size_t>(k)] * expert_means.back()[d];
  }
  for (int k = 0; k < num_experts && !classes; ++k) {
    const double w = result.gate[static_cast<std::size_t>(k)];
    if (w == 0.0) continue;
    const std::vector<double> variances = experts.variance(k, heads[static_cast<std::size_t>(k)].data());
    for (std::size_t d = 0; d < outputs; ++d) {
      const double distance = expert_means[static_cast<std::size_t>(k)][d] - means[d];
      squares[d] += w * (variances[d] + distance * distance);
    }
  }
  const auto unit = [&](std::size_t d) { return classes ? ColumnScale{} : frame.target_scales[d]; };
  for (std::size_t d = 0; d < outputs; ++d) {
    result.mean.push_back(unit(d).center + unit(d).scale * means[d]);
    if (!classes) result.deviation.push_back(unit(d).scale * std::sqrt(squares[d]));
  }
  if (!classes) {
    for (const double level : levels) {
      result.quantiles.push_back(unit(0).center + unit(0).scale * quantile(result.gate, heads, level));
    }
  }

  result.log_density = kNone;
  result.pit = kNone;
  if (data.expert_rows.targets.empty()) return result;
  result.posterior =
      logs_of(num_experts, [&](std::span<double* const> out) { experts.log_density(data.expert_rows, row, 1, out); });
  for (std::size_t k = 0; k < result.posterior.size(); ++k) result.posterior[k] += log_gate[k];
  result.log_density = normalize(result.posterior) - log_inputs;
  for (std::size_t d = 0; d < outputs && frame.target_kind == TargetKind::kNumber; ++d) {
    result.log_density -= std::log(unit(d).scale);
  }
  if (!classes) {
    const double y = data.expert_rows.targets[0][row];
    result.pit = cdf(result.gate, heads, y);
    if (experts.discrete()) result.pit = 0.5 * (result.pit + cdf(result.gate, heads, y - 1.0));
  }
  return result;
}

}  // namespace witan::mixtures
