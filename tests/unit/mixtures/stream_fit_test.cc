// Fits to tables in pieces: the maximum of the whole table, from a start on a part of it.
#include "mixtures/stream_fit.h"

#include <fmt/core.h>
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <string>

#include "base/random.h"
#include "mixtures/coefficients.h"
#include "support/error_message.h"
#include "support/temporary_folder.h"

namespace witan::mixtures {
namespace stream_fit_test {

std::string table_text(int rows) {
  Random random(21);
  std::string text = "x,colour,weight,y\n";
  for (int n = 0; n < rows; ++n) {
    const double x = 3.0 * random.normal();
    const bool red = random.uniform_open() < 0.3;
    const bool first = random.uniform_open() < 1.0 / (1.0 + std::exp(-x));
    const double y = (first ? 2.0 + x : -1.0 - 0.5 * x) + (red ? 1.0 : 0.0) + 0.7 * random.normal();
    text += fmt::format("{},{},{},{}\n", x, red ? "red" : "blue", n % 3, y);
  }
  return text;
}

DesignRequest request_for(const std::string& family) {
  DesignRequest request;
  request.formula = parse_formula("y ~ x + colour | gate ~ x");
  request.target = find_family(family).target;
  request.weights = "weight";
  return request;
}

FitOptions options_for(const std::string& family) {
  FitOptions options;
  options.family = family;
  options.restarts = 3;
  options.batch_rows = 50;
  return options;
}

TEST(StreamFitTest, ReachesTheMaximumOfTheWholeTable) {
  const test::TemporaryFolder folder;
  for (const std::string family : {"gaussian", "student_t"}) {
    SCOPED_TRACE(family);
    const std::string text = table_text(1200);
    std::ofstream(folder / "t.csv") << text;
    const Fit whole = fit_mixture(build_design(parse_csv(text, "t"), request_for(family)).sample, options_for(family));
    const TableStream table(folder / "t.csv", request_for(family), {});
    StreamOptions stream;
    stream.start_rows = 300;
    stream.passes = 6;
    const Fit fit = std::move(fit_stream(table, options_for(family), stream).fit);
    EXPECT_NEAR(fit.log_likelihood, whole.log_likelihood, 1e-9 * std::fabs(whole.log_likelihood));
    EXPECT_NEAR(fit.objective, whole.objective, 1e-9 * std::fabs(whole.objective));
    EXPECT_TRUE(fit.certificate.maximum) << fit.certificate.reason;
    EXPECT_EQ(fit.rows, whole.rows);
    EXPECT_NEAR(fit.bic, whole.bic, 1e-6);
    EXPECT_NEAR(fit.icl, whole.icl, 1e-4);
    // On-line EM alone comes within a hundredth of a nat per row of the maximum, from a start that was worse.
    ASSERT_EQ(fit.history.size(), 3U);
    EXPECT_GT(fit.history[1], fit.history[0]);
    EXPECT_LT(fit.history[2] - fit.history[1], 0.01 * 1200);
    EXPECT_EQ(coefficients(fit).size(), coefficients(whole).size());
  }
}

TEST(StreamFitTest, LaplaceEndsAfterOnlineEm) {
  const test::TemporaryFolder folder;
  const std::string text = table_text(1200);
  std::ofstream(folder / "t.csv") << text;
  const Fit whole =
      fit_mixture(build_design(parse_csv(text, "t"), request_for("laplace")).sample, options_for("laplace"));
  const TableStream table(folder / "t.csv", request_for("laplace"), {});
  StreamOptions stream;
  stream.start_rows = 400;
  stream.passes = 6;
  const Fit fit = std::move(fit_stream(table, options_for("laplace"), stream).fit);
  EXPECT_NEAR(fit.log_likelihood, whole.log_likelihood, 2e-3 * std::fabs(whole.log_likelihood));
  EXPECT_FALSE(fit.certificate.maximum);
  EXPECT_GE(fit.history[1], fit.history[0]);
}

// Two regressions of a class, hard to tell apart: the drawn rows have several maxima.
std::string logistic_text(int rows, std::uint64_t seed) {
  Random random(seed);
  std::string text = "x,z,y\n";
  for (int n = 0; n < rows; ++n) {
    const double x = random.normal();
    const double z = random.normal();
    const bool first = random.uniform_open() < 1.0 / (1.0 + std::exp(-2.0 * z));
    const double odds = first ? 1.0 + 2.0 * x : -1.0 - 1.5 * x + z;
    text +=
        fmt::format("{:.5f},{:.5f},{}\n", x, z, random.uniform_open() < 1.0 / (1.0 + std::exp(-odds)) ? "yes" : "no");
  }
  return text;
}

TEST(StreamFitTest, LogisticMixturesComeNearTheMaximumInSeveralPasses) {
  const test::TemporaryFolder folder;
  DesignRequest request;
  request.formula = parse_formula("y ~ x + z | gate ~ z");
  request.target = TargetKind::kClass;
  for (const std::uint64_t seed : {1U, 2U}) {
    SCOPED_TRACE(seed);
    const std::string text = logistic_text(1500, seed);
    std::ofstream(folder / "t.csv") << text;
    FitOptions options = options_for("logistic");
    options.restarts = 4;
    const Fit whole = fit_mixture(build_design(parse_csv(text, "t"), request).sample, options);
    const TableStream table(folder / "t.csv", request, {});
    StreamOptions stream;
    stream.start_rows = 500;
    stream.passes = 3;
    const Fit fit = std::move(fit_stream(table, options, stream).fit);
    EXPECT_TRUE(fit.certificate.maximum) << fit.certificate.reason;
    EXPECT_GT(fit.log_likelihood, whole.log_likelihood - 1e-6 * std::fabs(whole.log_likelihood));
    // On-line EM alone: within a nat of 1500 rows.
    EXPECT_GT(fit.history[1], whole.objective - 1.0);
  }
}

TEST(StreamFitTest, WhatProvesNothingSaysWhy) {
  const test::TemporaryFolder folder;
  const std::string text = table_text(1200);
  std::ofstream(folder / "t.csv") << text;
  const TableStream table(folder / "t.csv", request_for("gaussian"), {});
  StreamOptions stream;
  stream.start_rows = 300;
  FitOptions options = options_for("gaussian");
  options.router = "hard";
  options.max_iterations = 100;
  const Fit whole = fit_mixture(build_design(parse_csv(text, "t"), request_for("gaussian")).sample, options);
  const Fit fit = std::move(fit_stream(table, options, stream).fit);
  EXPECT_FALSE(fit.certificate.maximum);
  EXPECT_EQ(fit.certificate.reason, "the router is not the exact posterior");
  EXPECT_EQ(fit.certificate.reason, whole.certificate.reason);
  EXPECT_NEAR(fit.objective, whole.objective, 0.01 * std::fabs(whole.objective));
  options = options_for("gaussian");
  options.sigma_convention = "unbiased";
  EXPECT_NE(
      test::error_message([&] { fit_stream(table, options, stream); }).find("sigma_convention=unbiased is for tables"),
      std::string::npos);
  options = options_for("gaussian");
  options.polish = false;
  EXPECT_EQ(fit_stream(table, options, stream).fit.certificate.reason, "not asked for");
}

// Every batch has draws of its own: with the same ones for all, on-line EM goes where they are off.
TEST(StreamFitTest, StochasticResponsibilitiesComeNearTheMaximum) {
  const test::TemporaryFolder folder;
  Random random(1);
  std::string text = "x,y\n";
  for (int n = 0; n < 6000; ++n) {
    const double x = random.normal();
    const double line = random.uniform_open() < 0.5 ? 0.8 + x : -0.8 - x;
    text += fmt::format("{},{}\n", x, line + random.normal());
  }
  std::ofstream(folder / "t.csv") << text;
  DesignRequest request;
  request.formula = parse_formula("y ~ x | gate ~ 1");
  request.target = TargetKind::kNumber;
  const TableStream table(folder / "t.csv", request, {});
  StreamOptions stream;
  stream.start_rows = 300;
  FitOptions options = options_for("gaussian");
  options.batch_rows = 16;
  const Fit exact = std::move(fit_stream(table, options, stream).fit);
  options.router = "stochastic";
  options.max_iterations = 100;
  options.polish = false;
  const Fit drawn = std::move(fit_stream(table, options, stream).fit);
  EXPECT_LT(drawn.history[0], exact.objective - 20.0);
  EXPECT_GT(drawn.objective, exact.objective - 5.0);
  options.polish = true;
  EXPECT_NEAR(fit_stream(table, options, stream).fit.objective, exact.objective, 1e-6 * std::fabs(exact.objective));
}

TEST(StreamFitTest, ACollapsedExpertIsFlagged) {
  const test::TemporaryFolder folder;
  std::string text = "x,colour,weight,y\n";
  Random random(5);
  for (int n = 0; n < 900; ++n) {
    const double x = random.normal();
    const double y = n % 3 == 0 ? 40.0 + 2.0 * x : random.normal();  // an exact line among noise
    text += fmt::format("{},{},1,{}\n", x, n % 2 == 0 ? "red" : "blue", y);
  }
  std::ofstream(folder / "t.csv") << text;
  const TableStream table(folder / "t.csv", request_for("gaussian"), {});
  StreamOptions stream;
  stream.start_rows = 300;
  const Fit fit = std::move(fit_stream(table, options_for("gaussian"), stream).fit);
  EXPECT_TRUE(fit.degenerate);
  EXPECT_NE(fit.degenerate_reason.find("reached the floor"), std::string::npos);
}

TEST(StreamFitTest, SmallTablesAreFittedWhole) {
  const test::TemporaryFolder folder;
  const std::string text = table_text(200);
  std::ofstream(folder / "t.csv") << text;
  const TableStream table(folder / "t.csv", request_for("gaussian"), {});
  const StreamedFit streamed = fit_stream(table, options_for("gaussian"), {});
  const Fit whole =
      fit_mixture(build_design(parse_csv(text, "t"), request_for("gaussian")).sample, options_for("gaussian"));
  EXPECT_NEAR(streamed.fit.log_likelihood, whole.log_likelihood, 1e-10 * std::fabs(whole.log_likelihood));
  EXPECT_EQ(streamed.drawn.rows, 200);
}

TEST(StreamFitTest, RefusesWhatTheWholeTableWouldRefuse) {
  const test::TemporaryFolder folder;
  const auto refused = [&](const std::string& text, const DesignRequest& request) {
    std::ofstream(folder / "t.csv") << text;
    return test::error_message([&] { TableStream(folder / "t.csv", request, {}); });
  };
  EXPECT_NE(refused("x,colour,weight,y\n1,red,1,2\n2,blue,-1,3\n", request_for("gaussian"))
                .find("line 3, column 'weight': -1"),
            std::string::npos);
  EXPECT_NE(refused("x,colour,weight,y\n1,red,1,2\n,blue,1,3\n", request_for("gaussian"))
                .find("line 3, column 'x': the value is missing"),
            std::string::npos);
  EXPECT_NE(refused("x,colour,weight,y\n1,red,0,2\n3,blue,0,3\n", request_for("gaussian")).find("no rows"),
            std::string::npos);
  EXPECT_NE(refused("x,weight,y\n1,1,2\n", request_for("gaussian")).find("no column 'colour'"), std::string::npos);
}

// Rows so long that a piece has some 700 of them.
TEST(StreamFitTest, RefusesCategoriesThatNoPieceHasAllOf) {
  const test::TemporaryFolder folder;
  const std::string padding(24'000, '-');
  const auto refused = [&](const std::string& prefix) {
    {
      std::ofstream out(folder / "t.csv");
      out << "x,colour,weight,y,padding\n";
      for (int n = 0; n < 1200; ++n)
        out << fmt::format("{},{}{},1,{},{}\n", n, n == 1100 ? "red" : prefix, n, n % 7, padding);
    }
    return test::error_message([&] { TableStream(folder / "t.csv", request_for("gaussian"), {}); });
  };
  EXPECT_NE(refused("c").find("column 'colour': more than 1000 different texts"), std::string::npos);
  EXPECT_NE(refused("").find("column 'colour' has numbers, and text elsewhere"), std::string::npos);
}

}  // namespace stream_fit_test
}  // namespace witan::mixtures
