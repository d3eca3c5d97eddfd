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

void gather(Eigen::Index to, const Eigen::MatrixXd& points, Random& random, Weights& weights) {
  const Eigen::Index center = draw_below(points.cols(), random);
  const Eigen::VectorXd distance = (points.colwise() - points.col(center)).colwise().squaredNorm().transpose();
  std::vector<Eigen::Index> order(static_cast<std::size_t>(points.cols()));
  std::iota(order.begin(), order.end(), Eigen::Index{0});
  const auto count = static_cast<std::ptrdiff_t>(
      std::max<Eigen::Index>(1, points.cols() / (weights.cols() * (1 + draw_below(4, random)))));
  std::nth_element(order.begin(), order.begin() + count - 1, order.end(), [&](Eigen::Index a, Eigen::Index b) {
    return distance(a) < distance(b) || (distance(a) == distance(b) && a < b);
  });
  for (std::ptrdiff_t i = 0; i < count; ++i) {
    const Eigen::Index n = order[static_cast<std::size_t>(i)];
    const double mass = weights.row(n).sum();
    weights.row(n) *= 1.0 - kMovedShare;
    weights(n, to) = kMovedShare * mass;
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
  switch (random.below(ordered ? 4 : 3)) {
    case 0:
      dissolve(one, result);
      split_expert(other, one, points, random, result);
      break;
    case 1:
      dissolve(one, result);
      gather(one, points, random, result);
      break;
    case 2:
      cross(one, other, points, random, result);
      break;
    default:
      result.col(one).swap(result.col(other));
  }
  return result;
}

}  // namespace witan::mixtures
