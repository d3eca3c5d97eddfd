// Feed-forward networks in double, for gates and experts that are not linear: layers, blends of networks, and chains of
// both. They own no parameters: these are a stretch of the part's. Not the networks of the transformer side (layers/),
// which are f32.
#pragma once

#include <Eigen/Core>
#include <any>
#include <memory>
#include <vector>

namespace witan {
class Random;
}

namespace witan::mixtures {

enum class Activation { kLinear, kTanh, kRelu, kSigmoid };

class Network {
 public:
  Network(int inputs, int outputs) : inputs_(inputs), outputs_(outputs) {}
  Network(const Network&) = delete;
  Network& operator=(const Network&) = delete;
  virtual ~Network() = default;

  int inputs() const { return inputs_; }
  int outputs() const { return outputs_; }
  // How many parameters there are.
  virtual Eigen::Index size() const = 0;
  // Random parameters that keep the size of signals (Glorot & Bengio 2010); biases 0.
  virtual void initialize(Random& random, double* parameters) const = 0;
  // x [inputs, rows] -> [outputs, rows]. `kept` takes what backward() needs of this call.
  virtual Eigen::MatrixXd forward(const double* parameters, const Eigen::MatrixXd& x, std::any& kept) const = 0;
  // From d loss / d outputs [outputs, rows] to d loss / d x; adds d loss / d parameters to `gradient` [size].
  virtual Eigen::MatrixXd backward(const double* parameters, const std::any& kept, const Eigen::MatrixXd& outputs,
                                   double* gradient) const = 0;

  // Trains the gates of blends within bounds (Eigen, Ranzato & Sutskever 2013, section 3): adds what each of them gave
  // its experts at the rows x to running totals, and from then on gives nothing to an expert whose total exceeds the
  // mean of its blend by more than `margin` rows; the others share it. Only blends that were made to be balanced, and
  // chains of them: elsewhere it does nothing, and balanced() is false.
  virtual bool balanced() const { return false; }
  virtual void balance(const double* /*parameters*/, const Eigen::MatrixXd& /*x*/, double /*margin*/) {}
  // Ends that: totals are forgotten, and every expert is served again.
  virtual void lift_balance() {}

 private:
  int inputs_;
  int outputs_;
};

// activation(W x + b).
std::unique_ptr<Network> make_layer(int inputs, int outputs, Activation activation);
// One network after the other; as many outputs of one as inputs of the next.
std::unique_ptr<Network> make_chain(std::vector<std::unique_ptr<Network>> parts);
// sum_k softmax_k(gate(x)) expert_k(x): experts that cooperate on one output (Jacobs et al. 1991, eq. 1; Meta-Pi,
// Hampshire & Waibel 1992). d loss / d logit_k = w_k (o_k - o)' d loss / d o. `balanced`: balance() applies.
std::unique_ptr<Network> make_blend(std::unique_ptr<Network> gate, std::vector<std::unique_ptr<Network>> experts,
                                    bool balanced = false);

// Hidden layers of tanh units, then a last layer.
std::unique_ptr<Network> make_perceptron(int inputs, const std::vector<int>& hidden, int outputs, Activation last);

}  // namespace witan::mixtures
