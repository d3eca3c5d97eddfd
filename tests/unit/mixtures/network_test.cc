// Networks: gradients against differences, the formula of Meta-Pi, and the linear models they hold as special cases.
#include "mixtures/network.h"

#include <gtest/gtest.h>

#include <cmath>
#include <memory>
#include <vector>

#include "base/random.h"
#include "mixtures/fit.h"
#include "mixtures/network_experts.h"
#include "mixtures/network_gate.h"
#include "mixtures/network_model.h"
#include "support/error_message.h"

namespace witan::mixtures {
namespace network_test {

using Matrix = Eigen::MatrixXd;

Matrix random_matrix(Eigen::Index rows, Eigen::Index cols, std::uint64_t seed) {
  Random random(seed);
  return Matrix::NullaryExpr(rows, cols, [&] { return static_cast<double>(random.normal()); });
}

// Loss: the sum of outputs times fixed numbers.
void check_gradients(const Network& network) {
  Random random(2);
  Eigen::VectorXd parameters(network.size());
  network.initialize(random, parameters.data());
  for (double& value : parameters) value += 0.1 * random.normal();
  Matrix x = random_matrix(network.inputs(), 5, 3);
  const Matrix weights = random_matrix(network.outputs(), 5, 4);
  const auto loss = [&] {
    std::any kept;
    return network.forward(parameters.data(), x, kept).cwiseProduct(weights).sum();
  };
  std::any kept;
  network.forward(parameters.data(), x, kept);
  Eigen::VectorXd gradient = Eigen::VectorXd::Zero(network.size());
  const Matrix of_x = network.backward(parameters.data(), kept, weights, gradient.data());
  const auto difference = [&](double& value) {
    const double at = value;
    const double step = 1e-6;
    value = at + step;
    const double above = loss();
    value = at - step;
    const double below = loss();
    value = at;
    return (above - below) / (2.0 * step);
  };
  for (Eigen::Index i = 0; i < parameters.size(); ++i) EXPECT_NEAR(gradient(i), difference(parameters(i)), 1e-7) << i;
  for (Eigen::Index i = 0; i < x.size(); ++i) EXPECT_NEAR(of_x(i), difference(x(i)), 1e-7) << i;
}

TEST(NetworkTest, GradientsMatchDifferences) {
  for (const Activation last : {Activation::kLinear, Activation::kTanh, Activation::kRelu, Activation::kSigmoid})
    check_gradients(*make_layer(3, 2, last));
  check_gradients(*make_perceptron(3, {4, 5}, 2, Activation::kLinear));
  const auto blend = [](int inputs, int outputs) {
    std::vector<std::unique_ptr<Network>> experts;
    for (int k = 0; k < 3; ++k) experts.push_back(make_perceptron(inputs, {3}, outputs, Activation::kSigmoid));
    return make_blend(make_perceptron(inputs, {2}, 3, Activation::kLinear), std::move(experts));
  };
  check_gradients(*blend(3, 2));
  std::vector<std::unique_ptr<Network>> stack;  // Eigen, Ranzato & Sutskever 2013
  stack.push_back(blend(3, 4));
  stack.push_back(blend(4, 3));
  stack.push_back(make_layer(3, 2, Activation::kLinear));
  check_gradients(*make_chain(std::move(stack)));
}

TEST(NetworkTest, BlendsAreMetaPi) {
  // o = sum w_k o_k, and d E / d logit_k = w_k (o_k - o)' d E / d o.
  std::vector<std::unique_ptr<Network>> experts;
  for (int k = 0; k < 2; ++k) experts.push_back(make_layer(1, 2, Activation::kLinear));
  const auto blend = make_blend(make_layer(1, 2, Activation::kLinear), std::move(experts));
  // Gate: logits 0 and log 3 at any x; experts: constants.
  Eigen::VectorXd parameters = Eigen::VectorXd::Zero(blend->size());
  parameters(3) = std::log(3.0);
  parameters.segment(6, 2) << 1.0, 5.0;
  parameters.segment(10, 2) << 3.0, -1.0;
  std::any kept;
  const Matrix out = blend->forward(parameters.data(), Matrix::Ones(1, 1), kept);
  EXPECT_NEAR(out(0), 0.25 * 1.0 + 0.75 * 3.0, 1e-15);
  EXPECT_NEAR(out(1), 0.25 * 5.0 - 0.75 * 1.0, 1e-15);
  Eigen::VectorXd gradient = Eigen::VectorXd::Zero(blend->size());
  blend->backward(parameters.data(), kept, Matrix{{0.5}, {2.0}}, gradient.data());
  EXPECT_NEAR(gradient(2), 0.25 * ((1.0 - 2.5) * 0.5 + (5.0 - 0.5) * 2.0), 1e-15);
  EXPECT_NEAR(gradient(3), 0.75 * ((3.0 - 2.5) * 0.5 + (-1.0 - 0.5) * 2.0), 1e-15);
}

// A gate of one input without slope: its biases are its logits everywhere. Two experts that give 1 and 2.
TEST(NetworkTest, ABalancedGateClosesWhatWasServedTooMuch) {
  std::vector<std::unique_ptr<Network>> experts;
  for (int k = 0; k < 2; ++k) experts.push_back(make_layer(1, 1, Activation::kLinear));
  std::vector<std::unique_ptr<Network>> parts;
  parts.push_back(make_blend(make_layer(1, 2, Activation::kLinear), std::move(experts), true));
  parts.push_back(make_layer(1, 1, Activation::kLinear));
  const auto network = make_chain(std::move(parts));
  Eigen::VectorXd parameters = Eigen::VectorXd::Zero(network->size());
  parameters(2) = std::log(3.0);  // the gate: 3/4 and 1/4
  parameters(5) = 1.0;            // biases of the experts
  parameters(7) = 2.0;
  parameters(8) = 1.0;  // the last layer passes on
  const Matrix rows = Matrix::Ones(1, 8);
  const auto output = [&] {
    std::any kept;
    return network->forward(parameters.data(), rows, kept)(0, 3);
  };
  EXPECT_NEAR(output(), 1.25, 1e-15);
  EXPECT_TRUE(network->balanced());
  EXPECT_FALSE(make_perceptron(1, {3, 2}, 1, Activation::kLinear)->balanced());
  network->balance(parameters.data(), rows, 2.5);  // totals 6 and 2, mean 4
  EXPECT_NEAR(output(), 1.25, 1e-15);
  network->balance(parameters.data(), rows, 2.5);  // 12 and 4: the first is 4 above the mean
  EXPECT_NEAR(output(), 2.0, 1e-15);
  // What is closed has no gradient.
  std::any kept;
  network->forward(parameters.data(), rows, kept);
  Eigen::VectorXd gradient = Eigen::VectorXd::Zero(network->size());
  network->backward(parameters.data(), kept, Matrix::Ones(1, 8), gradient.data());
  EXPECT_EQ(gradient(2), 0.0);
  EXPECT_EQ(gradient(5), 0.0);
  EXPECT_NEAR(gradient(7), 8.0, 1e-12);
  network->balance(parameters.data(), rows, 2.5);  // 12 and 12: both again
  EXPECT_NEAR(output(), 1.25, 1e-15);
  network->balance(parameters.data(), rows, 1.0);
  EXPECT_NEAR(output(), 2.0, 1e-15);
  network->lift_balance();
  EXPECT_NEAR(output(), 1.25, 1e-15);
}

// exp(800) is infinite; an expert that is so far off has no share of the rows, and no say in the gradient.
TEST(NetworkTest, AnExpertFarOffLeavesTheGradientFinite) {
  for (const std::string family : {"poisson", "gamma"}) {
    SCOPED_TRACE(family);
    std::vector<std::unique_ptr<Network>> networks;
    for (int k = 0; k < 2; ++k) networks.push_back(make_layer(1, 1, Activation::kLinear));
    NetworkExperts experts(find_family(family).make({2, 1, 1, 0}, FitOptions()), std::move(networks), 0.0);
    Eigen::VectorXd parameters = experts.parameters();
    parameters(3) = family == "poisson" ? 800.0 : -800.0;  // bias of the second network
    experts.set_parameters(parameters);
    const std::vector<double> ones = {1.0, 1.0};
    const std::vector<double> zeros = {0.0, 0.0};
    const std::vector<double> x = {0.5, -1.0};
    const std::vector<double> y = {2.0, 3.0};
    Eigen::VectorXd gradient = Eigen::VectorXd::Zero(parameters.size());
    experts.add_gradient({2, {x.data()}, {y.data()}}, 0, 2, std::vector<const double*>{ones.data(), zeros.data()},
                         gradient.data());
    EXPECT_TRUE(gradient.allFinite());
    EXPECT_NE(gradient(1), 0.0);
    EXPECT_EQ(gradient(3), 0.0);
  }
}

Sample sample_for(const std::string& family, int rows) {
  Random random(6);
  Sample sample;
  sample.columns = {{"x", {}}, {"z", {}}};
  sample.expert_inputs = {0, 1};
  sample.gate_inputs = {0, 1};
  sample.targets = {{"y", {}}};
  const TargetKind kind = find_family(family).target;
  if (kind == TargetKind::kClass) sample.classes = {"a", "b", "c"};
  for (int n = 0; n < rows; ++n) {
    const double x = random.normal();
    const double z = random.normal();
    const double mean = random.uniform_open() < 1.0 / (1.0 + std::exp(-2.0 * x)) ? 2.0 + x - z : -1.0 - x + 0.5 * z;
    const double y = mean + 0.5 * random.normal();
    sample.columns[0].values.push_back(x);
    sample.columns[1].values.push_back(z);
    double target = y;
    if (kind == TargetKind::kCount) target = std::floor(std::exp(0.4 * std::min(y, 6.0)));
    if (kind == TargetKind::kPositive) target = std::exp(0.4 * y);
    if (kind == TargetKind::kClass) target = y < -1.0 ? 0.0 : (y < 1.0 ? 1.0 : 2.0);
    sample.targets[0].values.push_back(target);
  }
  return sample;
}

TEST(NetworkTest, WithoutHiddenUnitsTheyAreTheLinearModel) {
  for (const std::string family : {"gaussian", "student_t", "laplace", "poisson", "gamma", "multinomial"}) {
    SCOPED_TRACE(family);
    const Prepared rows = Prepared::from(sample_for(family, 60), find_family(family).target, 3);
    FitOptions options;
    options.family = family;
    options.experts = 3;
    const auto linear = make_model(rows.frame(), options);
    Random random(1);
    Eigen::VectorXd at = linear->parameters();
    for (double& value : at) value += 0.4 * random.normal();
    linear->set_parameters(at);

    const ExpertShape inner{3, 1, 1, family == "multinomial" ? 3 : 0};
    const int predictors = family == "multinomial" ? 2 : 1;
    std::vector<std::unique_ptr<Network>> networks;
    for (int k = 0; k < 3; ++k) networks.push_back(make_layer(2, predictors, Activation::kLinear));
    Model network(std::make_unique<NetworkGate>(make_layer(2, 2, Activation::kLinear), 0.0),
                  std::make_unique<NetworkExperts>(find_family(family).make(inner, options), std::move(networks), 0.0));
    // The same numbers in the order of the networks: slopes by column, then biases.
    Eigen::VectorXd same(network.parameters().size());
    Eigen::Index to = 0;
    const auto copy = [&](const Part& part, const std::vector<int>& heads) {
      for (int j : {1, 2, 0}) {
        for (const int head : heads)
          same(to++) = part.parameters()(part.heads()[static_cast<std::size_t>(head)].offset + j);
      }
    };
    copy(linear->gate(), {0, 1});
    for (int k = 0; k < 3; ++k) {
      const auto heads = linear->experts().heads_of(k);
      copy(linear->experts(), {heads.begin(), heads.begin() + predictors});
    }
    for (const Head& head : linear->experts().heads()) {
      if (!head.linear) same(to++) = linear->experts().parameters()(head.offset);
    }
    network.set_parameters(same);
    const double expected = log_likelihood(*linear, rows.data());
    EXPECT_NEAR(log_likelihood(network, rows.data()), expected, 1e-11 * std::fabs(expected));
    EXPECT_LT((posteriors(network, rows.data()) - posteriors(*linear, rows.data())).cwiseAbs().maxCoeff(), 1e-12);
  }
}

TEST(NetworkTest, OptionsAreChecked) {
  EXPECT_EQ(parse_hidden("gate_hidden", "16, 8"), (std::vector<int>{16, 8}));
  EXPECT_EQ(parse_stack("4x8,2x3").size(), 2U);
  for (const char* text : {"0", "x", "8,", "5000", "-1", "3.5"})
    EXPECT_NE(test::error_message([&] { parse_hidden("gate_hidden", text); }), "no error") << text;
  for (const char* text : {"4", "4x", "x8", "4x8x2", "4x8,"})
    EXPECT_NE(test::error_message([&] { parse_stack(text); }), "no error") << text;
  FitOptions options;
  options.gate_hidden = "4";
  options.tree = "2x2";
  EXPECT_NE(test::error_message([&] { options.validate(); }).find("flat and softmax"), std::string::npos);
}

}  // namespace network_test
}  // namespace witan::mixtures
