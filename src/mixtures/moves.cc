// The moves.
#include "mixtures/moves.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "base/random.h"

namespace witan::mixtures {
namespace {

constexpr double kMovedShare = 0.9;  // of a row that goes where the move says

Eigen::Index draw_below(Eigen::Index limit, Random& random) {
  return static_cast<Eigen::Index>(random.below(static_cast<std::uint64_t>(limit)));
}

// Signed distances of the rows from a random plane through the weighted middle of some of them; or, where gates that
// are steps want it, from a random row along one dimension.
Eigen::VectorXd sides(const Eigen::MatrixXd& points, const Eigen::VectorXd& weights, Random& random) {
  if (random.below(2) == 0) {
    const Eigen::VectorXd along = points.row(draw_below(points.rows(), random)).transpose();
    return (along.array() - along(draw_below(along.size(), random))) * (random.below(2) == 0 ? 1.0 : -1.0);
  }
  Eigen::VectorXd direction(points.rows());
  for (double& value : direction) value = random.normal();
  const Eigen::VectorXd along = points.transpose() * direction;
  const double mass = weights.sum();
  return along.array() - (mass > 0.0 ? along.dot(weights) / mass : 0.0);
}

// What expert `from` has goes to the others, in their own proportions.
void dissolve(Eigen::Index from, Weights& weights) {
  for (Eigen::Index n = 0; n < weights.rows(); ++n) {
    const double mass = weights(n, from);
    const double others = weights.row(n).sum() - mass;
    weights(n, from) = 0.0;
    if (others > 1e-9 * mass) {
      weights.row(n) *= 1.0 + mass / others;
    } else if (mass > 0.0) {
      weights.row(n).setConstant(mass / static_cast<double>(weights.cols() - 1));
      weights(n, from) = 0.0;
    }
  }
}

void split_expert(Eigen::Index from, Eigen::Index to, const Eigen::MatrixXd& points, Random& random, Weights& weights) {
  const Eigen::VectorXd side = sides(points, weights.col(from), random);
  for (Eigen::Index n = 0; n < weights.rows(); ++n) {
    const double share = side(n) > 0.0 ? kMovedShare : 1.0 - kMovedShare;
    weights(n, to) = share * weights(n, from);
    weights(n, from) *= 1.0 - share;
  }
}

// The rows around a random one, as dimensions of random importance see it: from about as few as a regression takes to
// as many as an expert has.
void gather(Eigen::Index to, const Eigen::MatrixXd& points, Random& random, Weights& weights) {
  const Eigen::Index center = draw_below(points.cols(), random);
  Eigen::VectorXd importance(points.rows());
  for (double& value : importance) value = std::exp(2.0 * random.normal());
  const Eigen::VectorXd distance =
      (importance.transpose() * (points.colwise() - points.col(center)).cwiseAbs2()).transpose();
  std::vector<Eigen::Index> order(static_cast<std::size_t>(points.cols()));
  std::iota(order.begin(), order.end(), Eigen::Index{0});
  const auto most = static_cast<double>(points.cols()) / static_cast<double>(weights.cols());
  const double least = std::min(most, static_cast<double>(2 * points.rows() + 2));
  const auto count = static_cast<std::ptrdiff_t>(std::max(1.0, least * std::pow(most / least, random.uniform_open())));
  std::nth_element(order.begin(), order.begin() + count - 1, order.end(), [&](Eigen::Index a, Eigen::Index b) {
    return distance(a) < distance(b) || (distance(a) == distance(b) && a < b);
  });
  for (std::ptrdiff_t i = 0; i < count; ++i) {
    const Eigen::Index n = order[static_cast<std::size_t>(i)];
    const double mass = weights.row(n).sum();
    weights.row(n) *= 1.0 - kMovedShare;
    weights(n, to) += kMovedShare * mass;
  }
}

// Who has a row is made less certain.
void soften(Random& random, Weights& weights) {
  const double power = 0.1 + 0.6 * random.uniform_open();
  for (Eigen::Index n = 0; n < weights.rows(); ++n) {
    const double mass = weights.row(n).sum();
    if (!(mass > 0.0)) continue;
    weights.row(n) = (weights.row(n) / mass).array().pow(power);
    weights.row(n) *= mass / weights.row(n).sum();
  }
}

// Some rows go anywhere.
void scatter(Random& random, Weights& weights) {
  const double share = std::pow(random.uniform_open(), 2);
  for (Eigen::Index n = 0; n < weights.rows(); ++n) {
    if (random.uniform_open() > share) continue;
    const double mass = weights.row(n).sum();
    weights.row(n) *= 1.0 - kMovedShare;
    weights(n, draw_below(weights.cols(), random)) += kMovedShare * mass;
  }
}

void cross(Eigen::Index one, Eigen::Index other, const Eigen::MatrixXd& points, Random& random, Weights& weights) {
  const Eigen::VectorXd side = sides(points, weights.col(one) + weights.col(other), random);
  for (Eigen::Index n = 0; n < weights.rows(); ++n) {
    if (side(n) > 0.0) std::swap(weights(n, one), weights(n, other));
  }
}

}  // namespace

Weights moved(const Weights& weights, const Eigen::MatrixXd& points, bool ordered, Random& random) {
  Weights result = weights;
  if (weights.cols() < 2) return result;
  const Eigen::Index one = draw_below(weights.cols(), random);
  const Eigen::Index other = (one + 1 + draw_below(weights.cols() - 1, random)) % weights.cols();
  const auto which = random.below(ordered ? 10 : 8);
  if (which < 4) {
    dissolve(one, result);
    which < 2 ? split_expert(other, one, points, random, result) : gather(one, points, random, result);
  } else if (which < 6) {
    cross(one, other, points, random, result);
  } else if (which == 6) {
    random.below(2) == 0 ? gather(one, points, random, result) : scatter(random, result);
  } else if (which == 7) {
    soften(random, result);
  } else {
    result.col(one).swap(result.col(other));
    if (random.below(2) == 0) result.col(other).swap(result.col(draw_below(weights.cols(), random)));
  }
  return result;
}

}  // namespace witan::mixtures
