// Every family and gate at fixed parameters against fixtures.json: log-likelihood, posteriors, gradients, M-steps.
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "mixtures/derivatives.h"
#include "mixtures/gamma_experts.h"
#include "mixtures/gaussian_experts.h"
#include "mixtures/laplace_experts.h"
#include "mixtures/model.h"
#include "mixtures/softmax_experts.h"
#include "mixtures/softmax_gate.h"
#include "mixtures/student_t_experts.h"

namespace witan::mixtures {
namespace mixtures_fixtures_test {

using Json = nlohmann::json;
using Vector = std::vector<double>;

constexpr double kTolerance = 1e-9;
constexpr double kFloor = 1e-12;

Json fixture(const std::string& name) {
  const char* of_file = name == "gamma" ? "/golden/mixtures/gamma.json" : "/golden/mixtures/fixtures.json";
  std::ifstream file(WITAN_TEST_DATA + std::string(of_file));
  return Json::parse(file).at(name);
}

// The rows of a case by column; X's column of ones is a real column here.
struct Table {
  explicit Table(const Json& json) {
    for (const Json& row : json.at("X")) {
      x.resize(row.size());
      for (std::size_t j = 0; j < row.size(); ++j) x[j].push_back(row[j].get<double>());
    }
    if (json.contains("Y")) {
      for (const Json& row : json.at("Y")) {
        y.resize(row.size());
        for (std::size_t j = 0; j < row.size(); ++j) y[j].push_back(row[j].get<double>());
      }
    } else {
      y.push_back(json.at("y").get<Vector>());
    }
    for (const Vector& column : x) data.expert_rows.inputs.push_back(column.data());
    for (const Vector& column : y) data.expert_rows.targets.push_back(column.data());
    data.expert_rows.count = static_cast<std::int64_t>(x[0].size());
    data.gate_rows = {data.expert_rows.count, data.expert_rows.inputs, {}};
    data.total_weight = static_cast<double>(x[0].size());
  }
  std::vector<Vector> x;
  std::vector<Vector> y;
  Data data;
};

std::unique_ptr<Gate> flat_gate(int experts) {
  return std::make_unique<SoftmaxGate>(Tree::flat(experts), std::vector<bool>{false, true, true}, 0.0);
}

void append(Vector& to, const Json& values) {
  for (const Json& value : values) {
    if (value.is_array()) {
      append(to, value);
    } else {
      to.push_back(value.get<double>());
    }
  }
}

void set(Model& model, const Vector& parameters) {
  model.set_parameters(
      Eigen::Map<const Eigen::VectorXd>(parameters.data(), static_cast<Eigen::Index>(parameters.size())));
}

// Without the first row: child 0 of a node has logit 0.
void append_free(Vector& to, const Json& gate) {
  for (std::size_t c = 1; c < gate.size(); ++c) append(to, gate[c]);
}

void expect_near(const Eigen::VectorXd& actual, const Vector& expected) {
  ASSERT_EQ(actual.size(), static_cast<Eigen::Index>(expected.size()));
  for (Eigen::Index i = 0; i < actual.size(); ++i) {
    EXPECT_NEAR(actual(i), expected[static_cast<std::size_t>(i)], kTolerance) << "element " << i;
  }
}

void expect_posteriors(const Model& model, const Table& table, const Json& expected) {
  const Eigen::MatrixXd actual = posteriors(model, table.data);
  for (Eigen::Index n = 0; n < actual.rows(); ++n) {
    Vector row;
    append(row, expected.at(static_cast<std::size_t>(n)));
    for (Eigen::Index k = 0; k < actual.cols(); ++k)
      EXPECT_NEAR(actual(n, k), row[static_cast<std::size_t>(k)], kTolerance);
  }
}

// One family with a scalar target. `flipped` counts how many parameters after the coefficients are kept as logs of the
// inverse (the precision's factor for the scale).
void check_family(const std::string& name, std::unique_ptr<Experts> experts, std::size_t coefficients,
                  bool flip_scale) {
  SCOPED_TRACE(name);
  const Json json = fixture(name);
  const Table table(json);
  Model model(flat_gate(3), std::move(experts));
  Vector parameters;
  Vector gradient;
  append_free(parameters, json.at("gate_V"));
  append(gradient, json.at("grad_logLik_gate"));
  for (std::size_t k = 0; k < 3; ++k) {
    Vector own;
    Vector own_gradient;
    append(own, json.at("expert_params")[k]);
    append(own_gradient, json.at("grad_logLik_experts")[k]);
    if (flip_scale) {
      own[coefficients] *= -1.0;
      own_gradient[coefficients] *= -1.0;
    }
    parameters.insert(parameters.end(), own.begin(), own.end());
    gradient.insert(gradient.end(), own_gradient.begin(), own_gradient.end());
  }
  set(model, parameters);
  const Derivatives derivatives = observed_derivatives(model, table.data, true);
  EXPECT_NEAR(log_likelihood(model, table.data), json.at("logLik").get<double>(), kTolerance);
  EXPECT_NEAR(derivatives.log_likelihood, json.at("logLik").get<double>(), kTolerance);
  expect_near(derivatives.gradient, gradient);
  expect_posteriors(model, table, json.at("posterior"));

  Eigen::MatrixXd densities(kBlockRows, 3);
  Eigen::MatrixXd gates(kBlockRows, 3);
  std::vector<double*> density_columns;
  std::vector<double*> gate_columns;
  for (Eigen::Index k = 0; k < 3; ++k) {
    density_columns.push_back(densities.col(k).data());
    gate_columns.push_back(gates.col(k).data());
  }
  model.experts().log_density(table.data.expert_rows, 0, table.data.count(), density_columns);
  model.gate().log_probabilities(table.data.gate_rows, 0, table.data.count(), gate_columns);
  for (std::size_t n = 0; n < table.y[0].size(); ++n) {
    for (std::size_t k = 0; k < 3; ++k) {
      EXPECT_NEAR(density_columns[k][n], json.at("logf")[n][k].get<double>(), kTolerance);
      EXPECT_NEAR(std::exp(gate_columns[k][n]), json.at("prior")[n][k].get<double>(), kTolerance);
    }
  }

  // The Hessian against differences of the gradient, where there is one.
  if (!model.experts().smooth()) return;
  const Eigen::VectorXd at = model.parameters();
  constexpr double kStep = 1e-4;  // of differences of order 4
  for (Eigen::Index i = 0; i < at.size(); ++i) {
    const auto gradient_at = [&](double steps) {
      Eigen::VectorXd moved = at;
      moved(i) += steps * kStep;
      model.set_parameters(moved);
      return observed_derivatives(model, table.data, false).gradient;
    };
    const Eigen::VectorXd slope =
        (8.0 * (gradient_at(1.0) - gradient_at(-1.0)) - (gradient_at(2.0) - gradient_at(-2.0))) / (12.0 * kStep);
    EXPECT_LT((slope - derivatives.hessian.col(i)).cwiseAbs().maxCoeff(), 2e-8) << "column " << i;
  }
}

TEST(MixturesFixturesTest, Gaussian) {
  check_family("gaussian",
               std::make_unique<GaussianExperts>(3, 3, 1, GaussianOptions{Covariance::kFull, false, kFloor}), 3, true);
}
TEST(MixturesFixturesTest, Laplace) {
  check_family("laplace", std::make_unique<LaplaceExperts>(3, 3, 1, kFloor), 3, false);
}
TEST(MixturesFixturesTest, StudentT) {
  check_family("t", std::make_unique<StudentTExperts>(3, 3, 1, Covariance::kFull, kFloor), 3, true);
}
TEST(MixturesFixturesTest, Binomial) {
  check_family("binomial", std::make_unique<SoftmaxExperts>(3, 3, 2, 0.0), 3, false);
}
TEST(MixturesFixturesTest, Multinomial) {
  check_family("multinom", std::make_unique<SoftmaxExperts>(3, 3, 4, 0.0), 9, false);
}

TEST(MixturesFixturesTest, Gamma) { check_family("gamma", std::make_unique<GammaExperts>(3, 3, kFloor), 3, false); }

TEST(MixturesFixturesTest, GaussianWithFullCovariance) {
  const Json json = fixture("gaussian_fullcov");
  const Table table(json);
  const GaussianOptions options{Covariance::kFull, false, kFloor};
  const Scale scale(Covariance::kFull, 2);
  Model model(flat_gate(3), std::make_unique<GaussianExperts>(3, 3, 2, options));
  Vector parameters;
  append_free(parameters, json.at("gate_V"));
  for (std::size_t k = 0; k < 3; ++k) {
    append(parameters, json.at("A")[k]);
    Vector flat;
    append(flat, json.at("Sigma")[k]);
    Vector heads(3);
    scale.set(Eigen::Map<const Eigen::MatrixXd>(flat.data(), 2, 2), kFloor, heads.data());
    parameters.insert(parameters.end(), heads.begin(), heads.end());
  }
  set(model, parameters);
  EXPECT_NEAR(log_likelihood(model, table.data), json.at("logLik").get<double>(), kTolerance);
  expect_posteriors(model, table, json.at("posterior"));
  const Eigen::VectorXd gradient = observed_derivatives(model, table.data, false).gradient;
  for (std::size_t k = 0; k < 3; ++k) {
    Vector expected;
    append(expected, json.at("grad_A")[k]);
    expect_near(gradient.segment(6 + static_cast<Eigen::Index>(k) * 9, 6), expected);
  }

  const Eigen::MatrixXd h = posteriors(model, table.data);
  GaussianExperts fitted(3, 3, 2, options);
  fitted.fit(table.data.expert_rows, h);
  for (std::size_t k = 0; k < 3; ++k) {
    Vector coefficients;
    Vector covariance;
    append(coefficients, json.at("mstep_A")[k]);
    append(covariance, json.at("mstep_Sigma")[k]);
    expect_near(fitted.parameters().segment(static_cast<Eigen::Index>(k) * 9, 6), coefficients);
    expect_near(fitted.covariance(static_cast<int>(k)).reshaped(), covariance);
  }
}

TEST(MixturesFixturesTest, HierarchyOfTwoByTwo) {
  const Json json = fixture("hme_2x2_gaussian");
  const Table table(json);
  Model model(std::make_unique<SoftmaxGate>(Tree::parse("2x2"), std::vector<bool>{false, true, true}, 0.0),
              std::make_unique<GaussianExperts>(4, 3, 1, GaussianOptions{Covariance::kFull, false, kFloor}));
  Vector parameters;
  Vector gate_gradient;
  append_free(parameters, json.at("v"));
  append_free(gate_gradient, json.at("grad_v"));
  for (std::size_t node = 0; node < 2; ++node) {
    append_free(parameters, json.at("v_cond")[node]);
    append_free(gate_gradient, json.at("grad_v_cond")[node]);
  }
  for (std::size_t leaf = 0; leaf < 4; ++leaf) {
    append(parameters, json.at("U")[leaf / 2][leaf % 2]);
    parameters.push_back(-0.5 * std::log(json.at("sigma2")[leaf / 2][leaf % 2].get<double>()));
  }
  set(model, parameters);
  EXPECT_NEAR(log_likelihood(model, table.data), json.at("logLik").get<double>(), kTolerance);
  expect_posteriors(model, table, json.at("h_ij"));
  const Eigen::VectorXd gradient = observed_derivatives(model, table.data, false).gradient;
  expect_near(gradient.head(9), gate_gradient);
  for (std::size_t leaf = 0; leaf < 4; ++leaf) {
    Vector expected;
    append(expected, json.at("grad_U")[leaf / 2][leaf % 2]);
    expect_near(gradient.segment(9 + static_cast<Eigen::Index>(leaf) * 4, 3), expected);
  }
}

}  // namespace mixtures_fixtures_test
}  // namespace witan::mixtures
