// AdamW over the parameters of a model: gradient norm, clipping, update, and the state that a checkpoint keeps. Not the
// learning rate: see training/schedule.h.
#pragma once

#include <cstdint>
#include <vector>

#include "base/config.h"
#include "witan/parameter.h"

namespace witan {

struct OptimizerOptions {
  double weight_decay = 0.1;
  double adam_beta1 = 0.9;
  double adam_beta2 = 0.95;
  double adam_epsilon = 1e-8;
  double max_grad_norm = 1.0;  // 0: no clipping

  Fields fields();
};

// Decoupled weight decay, Loshchilov & Hutter 2019, algorithm 2, with the bias correction of Kingma & Ba 2015:
//   m = b1 m + (1 - b1) g;  v = b2 v + (1 - b2) g^2
//   w = w - lr (m / (1 - b1^t)) / (sqrt(v / (1 - b2^t)) + eps) - lr decay w
// Decay reaches only the parameters marked for it. A parameter without a gradient is left as it is, and so is a row of
// a table whose gradient came in rows (Gradient::add_rows): its moments do not fade and it does not decay until a batch
// reads it again, as in PyTorch's SparseAdam. Such a step costs what the rows cost, not what the table does.
class AdamW {
 public:
  AdamW(std::vector<Parameter> parameters, const OptimizerOptions& options);

  // Euclidean norm over all gradients. Summed in double in an order that does not depend on the threads.
  double gradient_norm() const;
  // One update; gradients are scaled so that their norm, `norm` from gradient_norm(), is at most max_grad_norm, and
  // forgotten afterwards.
  void step(double learning_rate, double norm);
  void forget_gradients();

  const std::vector<Parameter>& parameters() const { return parameters_; }
  // Moments as named tensors "first_moment.NAME" and "second_moment.NAME": to be saved, and written when restoring.
  std::vector<Parameter> state() const;
  std::int64_t updates() const { return updates_; }
  void set_updates(std::int64_t updates) { updates_ = updates; }

 private:
  OptimizerOptions options_;
  std::vector<Parameter> parameters_;
  std::vector<Tensor> first_moments_;
  std::vector<Tensor> second_moments_;
  std::int64_t updates_ = 0;
};

}  // namespace witan
