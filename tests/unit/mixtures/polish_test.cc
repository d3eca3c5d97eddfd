// Newton's method where EM rests, and what it leaves early.
#include "mixtures/polish.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <memory>

#include "base/random.h"
#include "mixtures/em.h"
#include "mixtures/fit.h"

namespace witan::mixtures {
namespace polish_test {

constexpr double kNoGoal = -std::numeric_limits<double>::infinity();

// Two crossing lines, and EM from responsibilities that hardly tell them apart: after 10 iterations it has not left the
// plateau around the saddle that it began near.
class NewtonTest : public ::testing::Test {
 protected:
  NewtonTest() {
    Random random(3);
    Sample sample;
    sample.columns = {{"x", {}}};
    sample.expert_inputs = sample.gate_inputs = {0};
    sample.targets = {{"y", {}}};
    Weights start(kRows, 2);
    for (int n = 0; n < kRows; ++n) {
      const double x = random.normal();
      const double line = random.uniform_open() < 0.5 ? 1.0 + 2.0 * x : -1.0 - x;
      sample.columns[0].values.push_back(x);
      sample.targets[0].values.push_back(line + 0.7 * random.normal());
      start(n, 0) = 0.5 + 1e-9 * random.normal();
      start(n, 1) = 1.0 - start(n, 0);
    }
    rows_ = Prepared::from(std::move(sample), TargetKind::kNumber, 2);
    options_.experts = 2;
    model_ = make_model(rows_.frame(), options_);
    EmOptions em;
    em.max_iterations = 10;
    em.tolerance = 1e-12;
    rested_ = run_em(*model_, rows_.data(), *make_router("posterior", 1), em, start).objective();
    from_ = model_->parameters();
  }

  NewtonRun climb(double goal) {
    model_->set_parameters(from_);
    return climb_by_newton(*model_, RowsInMemory(rows_.data()), 40, goal);
  }

  static constexpr int kRows = 300;
  Prepared rows_;
  FitOptions options_;
  std::unique_ptr<Model> model_;
  Eigen::VectorXd from_;
  double rested_ = 0.0;
};

TEST_F(NewtonTest, LeadsOffThePlateauToAMaximum) {
  const NewtonRun run = climb(kNoGoal);
  EXPECT_TRUE(run.converged);
  EXPECT_FALSE(run.left_early);
  EXPECT_GT(run.objective, rested_ + 20.0);
  const Certificate certificate = polish(*model_, RowsInMemory(rows_.data()), 100);
  EXPECT_TRUE(certificate.maximum) << certificate.reason;
  EXPECT_NEAR(log_likelihood(*model_, rows_.data()) - model_->penalty_value(), run.objective,
              1e-6 * std::fabs(run.objective));
}

TEST_F(NewtonTest, LeavesEarlyWhatEndsBelowTheGoal) {
  const NewtonRun whole = climb(kNoGoal);
  const NewtonRun hopeless = climb(whole.objective + 1.0);
  EXPECT_TRUE(hopeless.left_early);
  EXPECT_FALSE(hopeless.converged);
  EXPECT_LT(hopeless.steps, whole.steps);
  EXPECT_LE(hopeless.objective, whole.objective);
  EXPECT_GT(hopeless.objective, rested_);
  const NewtonRun reaching = climb(whole.objective - 1.0);
  EXPECT_FALSE(reaching.left_early);
  EXPECT_EQ(reaching.objective, whole.objective);
}

}  // namespace polish_test
}  // namespace witan::mixtures
