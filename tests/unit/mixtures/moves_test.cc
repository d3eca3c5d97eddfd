// Moves keep every row's weight, change who has it, and lead out of a maximum that is not the highest.
#include "mixtures/moves.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>

#include "base/random.h"
#include "mixtures/em.h"
#include "mixtures/fit.h"
#include "mixtures/start.h"

namespace witan::mixtures {
namespace moves_test {

TEST(MovesTest, RowsKeepTheirWeights) {
  Random random(4);
  Eigen::MatrixXd points(3, 200);
  for (double& value : points.reshaped()) value = random.normal();
  Weights weights(200, 4);
  for (double& value : weights.reshaped()) value = random.uniform_open();
  weights.row(7).setZero();
  weights(7, 2) = 1.0;  // all of a row is one expert's
  const Eigen::VectorXd masses = weights.rowwise().sum();
  for (int draw = 0; draw < 40; ++draw) {
    const Weights other = moved(weights, points, true, random);
    EXPECT_LT((other.rowwise().sum() - masses).cwiseAbs().maxCoeff(), 1e-12);
    EXPECT_GE(other.minCoeff(), 0.0);
    EXPECT_GT((other - weights).cwiseAbs().sum(), 1.0);
  }
}

// Three parallel lines; a start that gives one expert two of them and two experts the third is a local maximum.
TEST(MovesTest, LeadOutOfALocalMaximum) {
  Random random(9);
  Sample sample;
  sample.columns = {{"x", {}}};
  sample.expert_inputs = {0};
  sample.targets = {{"y", {}}};
  Weights start = Weights::Zero(300, 3);
  for (int n = 0; n < 300; ++n) {
    const double x = random.normal();
    sample.columns[0].values.push_back(x);
    sample.targets[0].values.push_back(20.0 * (n % 3) + x + 0.5 * random.normal());
    start(n, n % 3 < 2 ? 0 : (x > 0.0 ? 1 : 2)) = 1.0;
  }
  const Prepared rows = Prepared::from(std::move(sample), TargetKind::kNumber, 3);
  FitOptions options;
  options.experts = 3;
  const auto model = make_model(rows.frame(), options);
  const auto router = make_router("posterior", 1);
  EmOptions em;
  em.max_iterations = 60;
  const double local = run_em(*model, rows.data(), *router, em, start).objective();
  Weights at = start;
  expectation_step(*model, rows.data(), *router, at);
  const Eigen::MatrixXd points = start_points(rows.data(), TargetKind::kNumber);
  double best = local;
  for (int draw = 0; draw < 20; ++draw) {
    Weights weights = moved(at, points, false, random);
    model->set_parameters(model->initial_parameters());
    best = std::max(best, run_em(*model, rows.data(), *router, em, weights).objective());
  }
  EXPECT_GT(best, local + 100.0);
}

TEST(MovesTest, ClimbsToWhatIsOutOfReachAreLeftEarly) {
  Random random(3);
  Sample sample;
  sample.columns = {{"x", {}}};
  sample.expert_inputs = sample.gate_inputs = {0};
  sample.targets = {{"y", {}}};
  Weights start(400, 2);
  for (int n = 0; n < 400; ++n) {
    const double x = random.normal();
    sample.columns[0].values.push_back(x);
    sample.targets[0].values.push_back((n % 2 == 0 ? x : -x) + 0.5 * random.normal());
    start(n, 0) = 0.4 + 0.2 * random.uniform_open();
    start(n, 1) = 1.0 - start(n, 0);
  }
  const Prepared rows = Prepared::from(std::move(sample), TargetKind::kNumber, 2);
  const auto model = make_model(rows.frame(), FitOptions());
  const auto router = make_router("posterior", 1);
  EmOptions em;
  em.max_iterations = 300;
  em.tolerance = 1e-13;
  const auto run = [&](double goal) {
    em.goal = goal;
    Weights weights = start;
    model->set_parameters(model->initial_parameters());
    return run_em(*model, rows.data(), *router, em, weights);
  };
  const EmRun whole = run(-std::numeric_limits<double>::infinity());
  EXPECT_FALSE(whole.left_early);
  const EmRun reached = run(whole.objective() - 0.1);
  EXPECT_FALSE(reached.left_early);
  EXPECT_EQ(reached.history, whole.history);
  const EmRun left = run(whole.objective() + 50.0);
  EXPECT_TRUE(left.left_early);
  EXPECT_LT(left.history.size(), whole.history.size());
  EXPECT_TRUE(std::equal(left.history.begin(), left.history.end(), whole.history.begin()));
}

}  // namespace moves_test
}  // namespace witan::mixtures
