// Whole fits at the edges: what is refused with which words, what is flagged, and what must not matter.
#include "mixtures/fit.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "base/parallel.h"
#include "base/random.h"
#include "mixtures/coefficients.h"
#include "support/error_message.h"

namespace witan::mixtures {
namespace fit_test {

// Two crossing lines with noise, or what `family` draws of the like.
Sample crossing_lines(int rows, std::uint64_t seed, const std::string& family = "gaussian") {
  Random random(seed);
  Sample sample;
  sample.columns = {{"x", {}}};
  sample.expert_inputs = sample.gate_inputs = {0};
  sample.targets = {{"y", {}}};
  if (family == "logistic" || family == "multinomial") sample.classes = {"no", "yes"};
  for (int n = 0; n < rows; ++n) {
    const double x = 4.0 * random.uniform_open() - 2.0;
    const double line = random.uniform_open() < 1.0 / (1.0 + std::exp(-x)) ? 1.0 + 2.0 * x : -1.0 - x;
    double y = line + 0.3 * random.normal();
    if (!sample.classes.empty()) y = y > 0.0 ? 1.0 : 0.0;
    if (family == "poisson") y = std::floor(std::exp(0.5 * line) + random.uniform_open());
    if (family == "gamma") y = std::exp(0.5 * y);
    sample.columns[0].values.push_back(x);
    sample.targets[0].values.push_back(y);
  }
  return sample;
}

FitOptions few_starts(std::int64_t experts = 2, const std::string& family = "gaussian") {
  FitOptions options;
  options.experts = experts;
  options.family = family;
  options.restarts = 5;
  return options;
}

std::string message_of(Sample sample, const FitOptions& options = few_starts()) {
  return test::error_message([&] { fit_mixture(std::move(sample), options); });
}

bool never_falls(const std::vector<double>& history) {
  return std::is_sorted(history.begin(), history.end(),
                        [](double later, double before) { return later < before - 1e-9 * (1.0 + std::fabs(before)); });
}

TEST(MixtureFitTest, EveryFamilyRouterAndGateClimbs) {
  for (const std::string family : {"gaussian", "student_t", "laplace", "logistic", "multinomial", "poisson", "gamma"}) {
    for (const std::string router : {"posterior", "hard", "stochastic"}) {
      for (const std::string gate : {"softmax", "constant", "gaussian", "2x2"}) {
        SCOPED_TRACE(family + " " + router + " " + gate);
        FitOptions options = few_starts(2, family);
        options.restarts = 1;
        options.router = router;
        options.max_iterations = 40;
        (gate == "2x2" ? options.tree : options.gate) = gate;
        const Fit fit = fit_mixture(crossing_lines(150, 3, family), options);
        EXPECT_TRUE(std::isfinite(fit.log_likelihood));
        EXPECT_EQ(fit.monotone, router != "stochastic");  // drawn steps fall too
        EXPECT_EQ(fit.monotone, never_falls(fit.history));
        double total = 0.0;
        for (const double size : fit.sizes) total += size;
        EXPECT_NEAR(total, 150.0, 1e-9);
        for (const Coefficient& c : coefficients(fit)) {
          EXPECT_TRUE(std::isfinite(c.estimate)) << c.part << " " << c.term;
          EXPECT_TRUE(c.standard_error.has_value() || !c.reason.empty()) << c.part << " " << c.term;
        }
      }
    }
  }
}

TEST(MixtureFitTest, AsManyExpertsAsRowsAreDegenerate) {
  for (const std::string family : {"gaussian", "student_t", "poisson", "gamma"}) {
    SCOPED_TRACE(family);
    const Fit fit = fit_mixture(crossing_lines(5, 2, family), few_starts(5, family));
    EXPECT_TRUE(fit.degenerate);
    EXPECT_FALSE(fit.degenerate_reason.empty());
  }
}

TEST(MixtureFitTest, UnitsOfInputsAndTargetsDoNotMatter) {
  const Fit plain = fit_mixture(crossing_lines(300, 1), few_starts());
  for (const double unit : {1e-150, 1e-9, 1e12, 1e150}) {
    SCOPED_TRACE(unit);
    Sample sample = crossing_lines(300, 1);
    for (double& x : sample.columns[0].values) x = 5.0 + x * 3.0;
    for (double& y : sample.targets[0].values) y = unit * (y - 7.0);
    const Fit scaled = fit_mixture(std::move(sample), few_starts());
    EXPECT_NEAR(scaled.log_likelihood, plain.log_likelihood - 300.0 * std::log(unit),
                1e-6 * std::fabs(scaled.log_likelihood));
    EXPECT_TRUE(scaled.certificate.maximum) << scaled.certificate.reason;
  }
}

TEST(MixtureFitTest, UnitsAtTheEndsOfDoubleHaveErrorsOrReasons) {
  for (const double unit : {1e-310, 1e-300, 1e300}) {
    SCOPED_TRACE(unit);
    Sample sample = crossing_lines(300, 1);
    for (double& y : sample.targets[0].values) y *= unit;
    const Fit fit = fit_mixture(std::move(sample), few_starts());
    for (const Coefficient& c : coefficients(fit)) EXPECT_TRUE(c.standard_error.has_value()) << c.part << " " << c.term;
  }
  Sample sample = crossing_lines(300, 1);
  for (double& x : sample.columns[0].values) x *= 1e-310;
  for (const Coefficient& c : coefficients(fit_mixture(std::move(sample), few_starts()))) {
    if (c.term == "x") {
      EXPECT_FALSE(c.standard_error.has_value());
      EXPECT_NE(c.reason.find("beyond the range of numbers"), std::string::npos) << c.reason;
    } else {
      EXPECT_TRUE(c.standard_error.has_value()) << c.part << " " << c.term;
    }
  }
}

TEST(MixtureFitTest, UnitsOfPositiveTargetsMoveTheirIntercepts) {
  const Fit plain = fit_mixture(crossing_lines(300, 1, "gamma"), few_starts(2, "gamma"));
  EXPECT_TRUE(plain.certificate.maximum) << plain.certificate.reason;
  const std::vector<Coefficient> before = coefficients(plain);
  for (const double unit : {1e-290, 1e12, 1e290}) {
    SCOPED_TRACE(unit);
    Sample sample = crossing_lines(300, 1, "gamma");
    for (double& y : sample.targets[0].values) y *= unit;
    const Fit scaled = fit_mixture(std::move(sample), few_starts(2, "gamma"));
    EXPECT_NEAR(scaled.log_likelihood, plain.log_likelihood - 300.0 * std::log(unit),
                1e-9 * std::fabs(scaled.log_likelihood));
    const std::vector<Coefficient> after = coefficients(scaled);
    for (std::size_t i = 0; i < before.size(); ++i) {
      const bool moves = before[i].part != "gate" && before[i].term == "(intercept)";
      EXPECT_NEAR(after[i].estimate, before[i].estimate + (moves ? std::log(unit) : 0.0), 1e-5) << before[i].term;
      EXPECT_NEAR(after[i].standard_error.value(), before[i].standard_error.value(), 1e-5) << before[i].term;
    }
  }
}

TEST(MixtureFitTest, AWeightIsAsManyRowsAndWeightZeroIsNone) {
  Sample repeated = crossing_lines(200, 2);
  Sample weighted = repeated;
  weighted.weights.assign(200, 1.0);
  for (std::size_t n = 0; n < 50; ++n) {
    weighted.weights[n] = 3.0;
    for (int copy = 0; copy < 2; ++copy) {
      repeated.columns[0].values.push_back(repeated.columns[0].values[n]);
      repeated.targets[0].values.push_back(repeated.targets[0].values[n]);
    }
  }
  // Rows of weight 0 may hold anything.
  weighted.weights.push_back(0.0);
  weighted.columns[0].values.push_back(1e30);
  weighted.targets[0].values.push_back(std::numeric_limits<double>::quiet_NaN());
  const Fit a = fit_mixture(std::move(repeated), few_starts());
  const Fit b = fit_mixture(std::move(weighted), few_starts());
  EXPECT_EQ(b.rows, 300.0);
  EXPECT_NEAR(a.log_likelihood, b.log_likelihood, 1e-7);
  EXPECT_NEAR(a.bic, b.bic, 1e-7);
}

TEST(MixtureFitTest, TheSeedDecidesAndThreadsDoNot) {
  const int before = num_threads();
  set_num_threads(1);
  const Fit one = fit_mixture(crossing_lines(20'000, 4), few_starts());
  set_num_threads(3);
  const Fit three = fit_mixture(crossing_lines(20'000, 4), few_starts());
  set_num_threads(before);
  EXPECT_EQ(one.log_likelihood, three.log_likelihood);
  EXPECT_EQ(one.model->parameters(), three.model->parameters());
}

TEST(MixtureFitTest, ADrawnFitEndsAtAMaximumToo) {
  const Fit exact = fit_mixture(crossing_lines(300, 1), few_starts());
  FitOptions options = few_starts();
  options.router = "stochastic";
  const Fit drawn = fit_mixture(crossing_lines(300, 1), options);
  EXPECT_TRUE(drawn.certificate.maximum) << drawn.certificate.reason;
  EXPECT_NEAR(drawn.objective, exact.objective, 1e-7 * std::fabs(exact.objective));
}

TEST(MixtureFitTest, ProgressEndsWithAllRunsCounted) {
  FitOptions options = few_starts();
  options.restarts = 0;
  std::vector<int> done;
  FitProgress progress;
  progress.run = [&](int now, int total, double /*best*/) {
    EXPECT_LE(now, total);
    done.push_back(now);
  };
  fit_mixture(Prepared::from(crossing_lines(60, 1), TargetKind::kNumber, 2), options, progress);
  ASSERT_GT(done.size(), 3U);
  EXPECT_EQ(done[done.size() - 1] - done[done.size() - 2], 8);  // moves, which were made side by side
}

TEST(MixtureFitTest, ACollapsedExpertIsFlaggedAndRanksLast) {
  Sample sample = crossing_lines(60, 5);
  for (std::size_t n = 0; n < 20; ++n) {  // an exact line: its expert's variance falls to the floor
    sample.targets[0].values[n] = 3.0 - 2.0 * sample.columns[0].values[n];
  }
  const Fit fit = fit_mixture(std::move(sample), few_starts(3));
  bool flagged = false;
  bool sound_seen_after = false;
  for (const Restart& restart : fit.restarts) {
    flagged = flagged || restart.degenerate;
    if (restart.finished && !restart.degenerate && flagged) sound_seen_after = true;
  }
  EXPECT_TRUE(flagged);
  EXPECT_FALSE(sound_seen_after);
  EXPECT_EQ(fit.degenerate, fit.degenerate_reason.find("reached the floor") != std::string::npos);
}

TEST(MixtureFitTest, ASeparableGateStaysFinite) {
  Sample sample = crossing_lines(200, 6);
  for (std::size_t n = 0; n < 200; ++n) {
    const double x = sample.columns[0].values[n];
    sample.targets[0].values[n] = (x > 0.0 ? 5.0 + x : -5.0 - x) + 0.1 * std::sin(1000.0 * x);
  }
  const Fit fit = fit_mixture(std::move(sample), few_starts());
  EXPECT_TRUE(fit.certificate.maximum) << fit.certificate.reason;
  for (const Coefficient& c : coefficients(fit)) EXPECT_TRUE(c.standard_error.has_value()) << c.part << " " << c.term;
}

TEST(MixtureFitTest, CollinearColumnsAndDuplicatedRows) {
  Sample sample = crossing_lines(200, 7);
  NamedColumn copy{"copy", sample.columns[0].values};
  for (double& value : copy.values) value = 3.0 * value - 1.0;
  sample.columns.push_back(std::move(copy));
  sample.expert_inputs = sample.gate_inputs = {0, 1};
  const Fit fit = fit_mixture(std::move(sample), few_starts());
  ASSERT_EQ(fit.notes.size(), 2U);
  EXPECT_EQ(fit.notes[0], "column 'copy' is a linear combination of those before it and was left out of the experts");
  EXPECT_NEAR(fit.log_likelihood, fit_mixture(crossing_lines(200, 7), few_starts()).log_likelihood, 1e-6);
}

TEST(MixtureFitTest, WrongDataIsRefusedWithItsPlace) {
  Sample sample = crossing_lines(30, 8);
  sample.columns[0].values[4] = std::numeric_limits<double>::infinity();
  EXPECT_EQ(message_of(sample), "column 'x': row 5 is inf, expected a finite number");
  sample = crossing_lines(30, 8);
  sample.targets[0].values[6] = std::numeric_limits<double>::quiet_NaN();
  EXPECT_EQ(message_of(sample), "target 'y': row 7 is nan, expected a finite number");
  sample = crossing_lines(30, 8);
  sample.columns[0].values.assign(30, 2.5);
  EXPECT_NE(message_of(sample).find("column 'x': its value is 2.5 in every row"), std::string::npos);
  sample = crossing_lines(30, 8);
  sample.targets[0].values.assign(30, -1.0);
  EXPECT_NE(message_of(sample).find("target 'y': its value is -1 in every row"), std::string::npos);
  EXPECT_EQ(message_of(crossing_lines(3, 8), few_starts(5)), "fit.experts: experts=5 exceeds the 3 rows");
  EXPECT_EQ(message_of(crossing_lines(1, 8), few_starts(1)), "data: 1 row; expected at least 2");
  sample = crossing_lines(30, 8);
  sample.weights.assign(30, 0.0);
  EXPECT_EQ(message_of(sample), "weights: all 30 rows have weight 0");
  sample.weights[2] = -1.0;
  EXPECT_EQ(message_of(sample), "weights: row 3 has weight -1, expected 0 or more");
  sample = crossing_lines(30, 8, "logistic");
  sample.targets[0].values.assign(30, 1.0);
  EXPECT_NE(message_of(sample, few_starts(2, "logistic")).find("all rows are of one class"), std::string::npos);
  sample = crossing_lines(30, 8);
  EXPECT_NE(message_of(sample, few_starts(2, "poisson")).find("expected a count"), std::string::npos);
  sample.targets[0].values[3] = -2.5;
  sample.targets[0].values[0] = sample.targets[0].values[1] = sample.targets[0].values[2] = 1.0;
  EXPECT_NE(message_of(sample, few_starts(2, "gamma")).find("row 4 is -2.5, expected a number above 0"),
            std::string::npos);
  EXPECT_NE(message_of(sample, few_starts(2, "gausian")).find("did you mean 'gaussian'"), std::string::npos);
}

TEST(MixtureFitTest, FewRowsNeverGiveNotANumber) {
  for (const int rows : {2, 3, 5, 9}) {
    for (const std::string family : {"gaussian", "laplace", "student_t"}) {
      SCOPED_TRACE(family + " " + std::to_string(rows));
      const Fit fit = fit_mixture(crossing_lines(rows, 9, family), few_starts(2, family));
      EXPECT_TRUE(std::isfinite(fit.log_likelihood));
      EXPECT_TRUE(fit.certificate.maximum || !fit.certificate.reason.empty());
    }
  }
}

}  // namespace fit_test
}  // namespace witan::mixtures
