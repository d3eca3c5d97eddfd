// A gate whose logits are a network of the inputs: w = softmax(0, g_1(x), .., g_{K-1}(x)). Trained by gradients only.
#pragma once

#include <memory>

#include "mixtures/gate.h"
#include "mixtures/network.h"

namespace witan::mixtures {

class NetworkGate : public Gate {
 public:
  // `network` gives experts - 1 logits of the inputs without the column of ones. The penalty is ridge / 2 times the
  // squared parameters.
  NetworkGate(std::unique_ptr<Network> network, double ridge);

  void log_probabilities(const Rows& rows, std::int64_t begin, std::int64_t count,
                         std::span<double* const> out) const override;
  void add_gradient(const Rows& rows, std::int64_t begin, std::int64_t count, std::span<const double* const> weights,
                    double* gradient) const override;
  void initialize(Random& random) override;
  bool linear() const override { return false; }

  // Networks have no M-step and no linear heads: calling these is a bug.
  void fit(const Rows& rows, const Weights& weights) override;
  void derivatives(int expert, const double* values, const double* targets, double* gradient,
                   double* hessian) const override;

 private:
  std::unique_ptr<Network> network_;
};

}  // namespace witan::mixtures
