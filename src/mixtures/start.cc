// Starting responsibilities.
#include "mixtures/start.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "base/error.h"
#include "base/random.h"
#include "mixtures/least_squares.h"

namespace witan::mixtures {
namespace {

constexpr int kLloydIterations = 15;
constexpr double kCertainty = 0.9;  // share of a row that its own expert gets at the start

using Labels = std::vector<int>;

double value_at(Column column, std::int64_t row) { return column == nullptr ? 1.0 : column[row]; }

// Coordinates of each row [dimensions, rows], a row's side by side.
Eigen::MatrixXd coordinates(const Columns& columns, std::int64_t rows) {
  Eigen::MatrixXd points(static_cast<Eigen::Index>(columns.size()), rows);
  for (std::size_t j = 0; j < columns.size(); ++j) {
    for (std::int64_t n = 0; n < rows; ++n) points(static_cast<Eigen::Index>(j), n) = value_at(columns[j], n);
  }
  return points;
}

Columns gate_and_targets(const Data& data) {
  Columns columns = data.gate_rows.targets;
  if (columns.empty()) {
    for (const Column input : data.expert_rows.inputs) {
      if (input != nullptr) columns.push_back(input);
    }
  }
  columns.insert(columns.end(), data.expert_rows.targets.begin(), data.expert_rows.targets.end());
  return columns;
}

// log(y + shift) of the only target, centred and of spread 1.
std::vector<double> standardized_logs(const Data& data, double shift) {
  std::vector<double> logs(static_cast<std::size_t>(data.count()));
  for (std::size_t n = 0; n < logs.size(); ++n)
    logs[n] = std::log(std::max(data.expert_rows.targets[0][n] + shift, std::numeric_limits<double>::min()));
  Eigen::Map<Eigen::VectorXd> values(logs.data(), data.count());
  values.array() -= values.mean();
  const double spread = std::sqrt(values.squaredNorm() / static_cast<double>(data.count()));
  if (spread > 0.0) values /= spread;
  return logs;
}

// The same rows with the logarithms of a target that has a logarithmic link, which `logs` keeps.
Data with_logs(const Data& given, TargetKind target, std::vector<double>& logs) {
  Data data = given;
  if (target == TargetKind::kCount || target == TargetKind::kPositive) {
    logs = standardized_logs(given, target == TargetKind::kCount ? 0.5 : 0.0);
    data.expert_rows.targets = {logs.data()};
  }
  return data;
}

// Lloyd's algorithm from k-means++ centres (Arthur & Vassilvitskii 2007), rows counting by their case weight.
Labels kmeans(const Eigen::MatrixXd& points, Column weights, int clusters, Random& random) {
  const Eigen::Index rows = points.cols();
  const auto weight = [&](Eigen::Index n) { return value_at(weights, n); };
  Eigen::MatrixXd centers(points.rows(), clusters);
  Eigen::VectorXd distance = Eigen::VectorXd::Constant(rows, 1.0);
  for (Eigen::Index k = 0; k < clusters; ++k) {
    double total = 0.0;
    for (Eigen::Index n = 0; n < rows; ++n) total += weight(n) * distance(n);
    double left = random.uniform_open() * total;
    Eigen::Index chosen = 0;
    while (chosen + 1 < rows && left >= weight(chosen) * distance(chosen)) {
      left -= weight(chosen) * distance(chosen);
      ++chosen;
    }
    centers.col(k) = points.col(chosen);
    for (Eigen::Index n = 0; n < rows; ++n) {
      const double d = (points.col(n) - centers.col(k)).squaredNorm();
      distance(n) = k == 0 ? d : std::min(distance(n), d);
    }
  }
  Labels labels(static_cast<std::size_t>(rows), 0);
  for (int iteration = 0; iteration < kLloydIterations; ++iteration) {
    for_blocks(rows, [&](std::int64_t begin, std::int64_t count) {
      for (Eigen::Index n = begin; n < begin + count; ++n) {
        Eigen::Index nearest = 0;
        (centers.colwise() - points.col(n)).colwise().squaredNorm().minCoeff(&nearest);
        labels[static_cast<std::size_t>(n)] = static_cast<int>(nearest);
      }
    });
    Eigen::MatrixXd sums = Eigen::MatrixXd::Zero(points.rows(), clusters);
    Eigen::VectorXd masses = Eigen::VectorXd::Zero(clusters);
    for (Eigen::Index n = 0; n < rows; ++n) {
      const int k = labels[static_cast<std::size_t>(n)];
      sums.col(k) += weight(n) * points.col(n);
      masses(k) += weight(n);
    }
    for (Eigen::Index k = 0; k < clusters; ++k) {
      if (masses(k) > 0.0) centers.col(k) = sums.col(k) / masses(k);
    }
  }
  return labels;
}

// Equal shares of the rows in the order of a score.
Labels segments(const Data& data, int experts, Random& random) {
  Columns columns = data.gate_rows.targets;
  if (columns.empty()) columns = gate_and_targets(data);
  std::vector<double> score(static_cast<std::size_t>(data.count()), 0.0);
  const bool one_column = random.below(2) == 0;
  const auto chosen = static_cast<std::size_t>(random.below(columns.size()));
  for (std::size_t j = 0; j < columns.size(); ++j) {
    const double factor = one_column ? (j == chosen ? 1.0 : 0.0) : random.normal();
    for (std::size_t n = 0; n < score.size(); ++n) score[n] += factor * columns[j][n];
  }
  // Cuts near equal shares, moved by up to half a share either way.
  std::vector<double> cuts;
  for (int k = 1; k < experts; ++k) cuts.push_back((k + random.uniform_open() - 0.5) / experts);
  std::sort(cuts.begin(), cuts.end());
  std::vector<std::size_t> order(score.size());
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(),
            [&](std::size_t a, std::size_t b) { return score[a] < score[b] || (score[a] == score[b] && a < b); });
  Labels labels(score.size());
  for (std::size_t i = 0; i < order.size(); ++i) {
    const double quantile = (static_cast<double>(i) + 0.5) / static_cast<double>(order.size());
    labels[order[i]] = static_cast<int>(std::upper_bound(cuts.begin(), cuts.end(), quantile) - cuts.begin());
  }
  return labels;
}

// Least squares on the neighbours of random rows; a row belongs to the regression that fits it best.
Labels regressions(const Data& data, int experts, Random& random) {
  const Eigen::MatrixXd points = coordinates(gate_and_targets(data), data.count());
  const auto rows = static_cast<std::size_t>(data.count());
  const std::size_t neighbours = std::min(
      rows,
      std::max(data.expert_rows.inputs.size() + 3, rows / (static_cast<std::size_t>(experts) * (2 + random.below(6)))));
  std::vector<double> best(rows, std::numeric_limits<double>::infinity());
  Labels labels(rows, 0);
  for (int k = 0; k < experts; ++k) {
    const auto center = static_cast<Eigen::Index>(random.below(rows));
    const Eigen::VectorXd distance = (points.colwise() - points.col(center)).colwise().squaredNorm().transpose();
    std::vector<std::size_t> order(rows);
    std::iota(order.begin(), order.end(), 0);
    std::nth_element(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(neighbours - 1), order.end(),
                     [&](std::size_t a, std::size_t b) {
                       const double da = distance(static_cast<Eigen::Index>(a));
                       const double db = distance(static_cast<Eigen::Index>(b));
                       return da < db || (da == db && a < b);
                     });
    std::vector<double> weights(rows, 0.0);
    for (std::size_t i = 0; i < neighbours; ++i)
      weights[order[i]] = value_at(data.weights, static_cast<std::int64_t>(order[i]));
    const LeastSquares fitted = weighted_least_squares(data.expert_rows, weights.data());
    for (std::size_t n = 0; n < rows; ++n) {
      double misfit = 0.0;
      for (std::size_t d = 0; d < data.expert_rows.targets.size(); ++d) {
        double r = data.expert_rows.targets[d][n];
        for (std::size_t j = 0; j < data.expert_rows.inputs.size(); ++j) {
          r -= fitted.coefficients(static_cast<Eigen::Index>(j), static_cast<Eigen::Index>(d)) *
               value_at(data.expert_rows.inputs[j], static_cast<std::int64_t>(n));
        }
        misfit += r * r;
      }
      if (misfit < best[n]) {
        best[n] = misfit;
        labels[n] = k;
      }
    }
  }
  return labels;
}

Labels anywhere(const Data& data, int experts, Random& random) {
  Labels labels(static_cast<std::size_t>(data.count()));
  for (int& label : labels) label = static_cast<int>(random.below(static_cast<std::uint64_t>(experts)));
  return labels;
}

}  // namespace

Eigen::MatrixXd start_points(const Data& given, TargetKind target) {
  std::vector<double> logs;
  const Data data = with_logs(given, target, logs);
  return coordinates(gate_and_targets(data), data.count());
}

const std::vector<std::string>& start_names() {
  static const std::vector<std::string> names = {"auto", "kmeans_xy", "segments", "regressions", "kmeans_x", "random"};
  return names;
}

std::string start_of_run(const std::string& option, int run) {
  if (option != "auto") return option;
  const std::size_t kinds = start_names().size() - 1;
  return start_names()[1 + static_cast<std::size_t>(run) % kinds];
}

Weights starting_weights(const std::string& start, const Data& given, TargetKind target, int experts,
                         std::uint64_t seed, int run) {
  Random random(seed, static_cast<std::uint64_t>(run));
  std::vector<double> logs;
  const Data data = with_logs(given, target, logs);
  Labels labels;
  if (start == "kmeans_xy" || (start == "kmeans_x" && data.gate_rows.targets.empty())) {
    labels = kmeans(coordinates(gate_and_targets(data), data.count()), data.weights, experts, random);
  } else if (start == "kmeans_x") {
    labels = kmeans(coordinates(data.gate_rows.targets, data.count()), data.weights, experts, random);
  } else if (start == "segments") {
    labels = segments(data, experts, random);
  } else if (start == "regressions") {
    labels = regressions(data, experts, random);
  } else {
    WITAN_ASSERT(start == "random");
    labels = anywhere(data, experts, random);
  }
  const double rest = experts > 1 ? (1.0 - kCertainty) / (experts - 1) : 0.0;
  Weights weights(data.count(), experts);
  for (std::int64_t n = 0; n < data.count(); ++n) {
    const double case_weight = value_at(data.weights, n);
    for (int k = 0; k < experts; ++k) {
      const bool own = labels[static_cast<std::size_t>(n)] == k;
      weights(n, k) = case_weight * (experts == 1 ? 1.0 : (own ? kCertainty : rest));
    }
  }
  return weights;
}

}  // namespace witan::mixtures
