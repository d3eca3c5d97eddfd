// Layers, chains and blends, each with its backward pass.
#include "mixtures/network.h"

#include <cmath>
#include <limits>

#include "base/error.h"
#include "base/random.h"

namespace witan::mixtures {
namespace {

using Matrix = Eigen::MatrixXd;

class Layer : public Network {
 public:
  Layer(int inputs, int outputs, Activation activation) : Network(inputs, outputs), activation_(activation) {}

  Eigen::Index size() const override { return Eigen::Index{outputs()} * (inputs() + 1); }

  void initialize(Random& random, double* parameters) const override {
    const double size = std::sqrt(6.0 / (inputs() + outputs()));
    const Eigen::Index weights = Eigen::Index{outputs()} * inputs();
    for (Eigen::Index i = 0; i < weights; ++i) parameters[i] = size * (2.0 * random.uniform_open() - 1.0);
    for (Eigen::Index i = weights; i < this->size(); ++i) parameters[i] = 0.0;
  }

  Matrix forward(const double* parameters, const Matrix& x, std::any& kept) const override {
    Matrix y = (weights(parameters) * x).colwise() + biases(parameters);
    switch (activation_) {
      case Activation::kLinear:
        break;
      case Activation::kTanh:
        y = y.array().tanh();
        break;
      case Activation::kRelu:
        y = y.cwiseMax(0.0);
        break;
      case Activation::kSigmoid:
        y = (1.0 + (-y.array()).exp()).inverse();
        break;
    }
    kept = Kept{x, y};
    return y;
  }

  Matrix backward(const double* parameters, const std::any& kept, const Matrix& outputs,
                  double* gradient) const override {
    const auto& [x, y] = std::any_cast<const Kept&>(kept);
    Matrix before = outputs;  // the activation; its derivative follows from its value
    switch (activation_) {
      case Activation::kLinear:
        break;
      case Activation::kTanh:
        before.array() *= 1.0 - y.array().square();
        break;
      case Activation::kRelu:
        before.array() *= (y.array() > 0.0).cast<double>();
        break;
      case Activation::kSigmoid:
        before.array() *= y.array() * (1.0 - y.array());
        break;
    }
    Eigen::Map<Matrix>(gradient, this->outputs(), inputs()) += before * x.transpose();
    Eigen::Map<Eigen::VectorXd>(gradient + Eigen::Index{this->outputs()} * inputs(), this->outputs()) +=
        before.rowwise().sum();
    return weights(parameters).transpose() * before;
  }

 private:
  struct Kept {
    Matrix x;
    Matrix y;
  };
  Eigen::Map<const Matrix> weights(const double* parameters) const { return {parameters, outputs(), inputs()}; }
  Eigen::Map<const Eigen::VectorXd> biases(const double* parameters) const {
    return {parameters + Eigen::Index{outputs()} * inputs(), outputs()};
  }

  Activation activation_;
};

class Chain : public Network {
 public:
  explicit Chain(std::vector<std::unique_ptr<Network>> parts)
      : Network(parts.front()->inputs(), parts.back()->outputs()), parts_(std::move(parts)) {
    for (std::size_t i = 1; i < parts_.size(); ++i) WITAN_ASSERT(parts_[i - 1]->outputs() == parts_[i]->inputs());
    for (std::size_t i = 0; i < parts_.size(); ++i) {
      if (parts_[i]->balanced()) to_balance_ = i + 1;
    }
  }

  Eigen::Index size() const override {
    Eigen::Index sum = 0;
    for (const auto& part : parts_) sum += part->size();
    return sum;
  }

  void initialize(Random& random, double* parameters) const override {
    for (const auto& part : parts_) {
      part->initialize(random, parameters);
      parameters += part->size();
    }
  }

  Matrix forward(const double* parameters, const Matrix& x, std::any& kept) const override {
    std::vector<std::any> of_parts(parts_.size());
    Matrix y = x;
    for (std::size_t i = 0; i < parts_.size(); ++i) {
      y = parts_[i]->forward(parameters, y, of_parts[i]);
      parameters += parts_[i]->size();
    }
    kept = std::move(of_parts);
    return y;
  }

  Matrix backward(const double* parameters, const std::any& kept, const Matrix& outputs,
                  double* gradient) const override {
    const auto& of_parts = std::any_cast<const std::vector<std::any>&>(kept);
    Matrix d = outputs;
    Eigen::Index offset = size();
    for (std::size_t i = parts_.size(); i-- > 0;) {
      offset -= parts_[i]->size();
      d = parts_[i]->backward(parameters + offset, of_parts[i], d, gradient + offset);
    }
    return d;
  }

  bool balanced() const override { return to_balance_ > 0; }
  void balance(const double* parameters, const Matrix& x, double margin) override {
    Matrix y = x;
    for (std::size_t i = 0; i < to_balance_; ++i) {
      std::any kept;
      Matrix next;  // as the rows were served, before anything is closed
      if (i + 1 < to_balance_) next = parts_[i]->forward(parameters, y, kept);
      parts_[i]->balance(parameters, y, margin);
      y = std::move(next);
      parameters += parts_[i]->size();
    }
  }
  void lift_balance() override {
    for (const auto& part : parts_) part->lift_balance();
  }

 private:
  std::vector<std::unique_ptr<Network>> parts_;
  std::size_t to_balance_ = 0;  // parts up to the last one that balance() is for
};

class Blend : public Network {
 public:
  Blend(std::unique_ptr<Network> gate, std::vector<std::unique_ptr<Network>> experts, bool balanced)
      : Network(gate->inputs(), experts.front()->outputs()),
        gate_(std::move(gate)),
        experts_(std::move(experts)),
        balanced_(balanced) {
    WITAN_ASSERT(gate_->outputs() == static_cast<int>(experts_.size()));
    Blend::lift_balance();
  }

  Eigen::Index size() const override {
    Eigen::Index sum = gate_->size();
    for (const auto& expert : experts_) sum += expert->size();
    return sum;
  }

  void initialize(Random& random, double* parameters) const override {
    gate_->initialize(random, parameters);
    parameters += gate_->size();
    for (const auto& expert : experts_) {
      expert->initialize(random, parameters);
      parameters += expert->size();
    }
  }

  Matrix forward(const double* parameters, const Matrix& x, std::any& kept) const override {
    Kept all;
    all.shares = shares_of(parameters, x, all.gate);
    parameters += gate_->size();
    Matrix blended = Matrix::Zero(outputs(), x.cols());
    all.experts.resize(experts_.size());
    for (std::size_t k = 0; k < experts_.size(); ++k) {
      all.of_experts.push_back(experts_[k]->forward(parameters, x, all.experts[k]));
      parameters += experts_[k]->size();
      blended += all.of_experts[k] * all.shares.row(static_cast<Eigen::Index>(k)).asDiagonal();
    }
    all.blended = blended;
    kept = std::move(all);
    return blended;
  }

  Matrix backward(const double* parameters, const std::any& kept, const Matrix& outputs,
                  double* gradient) const override {
    const auto& all = std::any_cast<const Kept&>(kept);
    Matrix logits(all.shares.rows(), all.shares.cols());
    Matrix d = Matrix::Zero(inputs(), outputs.cols());
    Eigen::Index offset = gate_->size();
    for (std::size_t k = 0; k < experts_.size(); ++k) {
      const auto row = static_cast<Eigen::Index>(k);
      logits.row(row) =
          all.shares.row(row).cwiseProduct((all.of_experts[k] - all.blended).cwiseProduct(outputs).colwise().sum());
      d += experts_[k]->backward(parameters + offset, all.experts[k], outputs * all.shares.row(row).asDiagonal(),
                                 gradient + offset);
      offset += experts_[k]->size();
    }
    return d + gate_->backward(parameters, all.gate, logits, gradient);
  }

  bool balanced() const override { return balanced_; }
  void balance(const double* parameters, const Matrix& x, double margin) override {
    if (!balanced_) return;
    std::any kept;
    totals_ += shares_of(parameters, x, kept).rowwise().sum();
    const double most = totals_.mean() + margin;
    for (Eigen::Index k = 0; k < totals_.size(); ++k) {
      closed_(k) = totals_(k) > most ? -std::numeric_limits<double>::infinity() : 0.0;
    }
  }
  void lift_balance() override { totals_ = closed_ = Eigen::VectorXd::Zero(gate_->outputs()); }

 private:
  // What the gate gives each expert [experts, rows].
  Matrix shares_of(const double* parameters, const Matrix& x, std::any& kept) const {
    Matrix shares = gate_->forward(parameters, x, kept).colwise() + closed_;
    for (Eigen::Index n = 0; n < shares.cols(); ++n) {
      auto column = shares.col(n);
      // The exponential of minus infinity is not quite 0.
      column = (column.array() - column.maxCoeff()).exp() * (closed_.array() == 0.0).cast<double>();
      column /= column.sum();
    }
    return shares;
  }

  struct Kept {
    std::any gate;
    Matrix shares;  // [experts, rows]
    std::vector<std::any> experts;
    std::vector<Matrix> of_experts;
    Matrix blended;
  };
  std::unique_ptr<Network> gate_;
  std::vector<std::unique_ptr<Network>> experts_;
  bool balanced_;
  Eigen::VectorXd totals_;  // rows that each expert was given
  Eigen::VectorXd closed_;  // added to its logit: 0, or minus infinity
};

}  // namespace

std::unique_ptr<Network> make_layer(int inputs, int outputs, Activation activation) {
  return std::make_unique<Layer>(inputs, outputs, activation);
}

std::unique_ptr<Network> make_chain(std::vector<std::unique_ptr<Network>> parts) {
  return std::make_unique<Chain>(std::move(parts));
}

std::unique_ptr<Network> make_blend(std::unique_ptr<Network> gate, std::vector<std::unique_ptr<Network>> experts,
                                    bool balanced) {
  return std::make_unique<Blend>(std::move(gate), std::move(experts), balanced);
}

std::unique_ptr<Network> make_perceptron(int inputs, const std::vector<int>& hidden, int outputs, Activation last) {
  std::vector<std::unique_ptr<Network>> layers;
  for (const int width : hidden) {
    layers.push_back(make_layer(inputs, width, Activation::kTanh));
    inputs = width;
  }
  layers.push_back(make_layer(inputs, outputs, last));
  return layers.size() == 1 ? std::move(layers.front()) : make_chain(std::move(layers));
}

}  // namespace witan::mixtures
