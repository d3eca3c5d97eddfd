// A router turns scores into an assignment.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "autograd/tape.h"
#include "base/random.h"
#include "witan/assignment.h"
#include "witan/parameter.h"

namespace witan {

// A term of the training objective that a layer contributes: returned, never hidden.
struct BalanceTerm {
  std::string name;       // "load_balance", "router_z"
  Tensor value;           // scalar, already scaled by its coefficient
  float unscaled = 0.0F;  // before the coefficient, for the log
};

// What a router may know of the rows besides their scores.
struct RouterContext {
  bool training = false;
  std::int64_t rows_per_sequence = 0;       // 0: all rows are one sequence
  std::span<const std::int32_t> token_ids;  // empty, or one id per row
  Random* random = nullptr;                 // drawn from in training only, unless the router says otherwise
};

struct Routing {
  Assignment assignment;
  // [num_assigned], in the order of the assignment and equal to its combine_weights; carries the router's gradient.
  Tensor combine_weights;
  // [T, E] with gradient: what the balance losses average (softmax of the scores, or what stands for it).
  Tensor probabilities;
  // Terms of the router's own, such as the noisy top-k's smooth load.
  std::vector<BalanceTerm> terms;
};

class Router {
 public:
  Router() = default;
  Router(const Router&) = delete;
  Router& operator=(const Router&) = delete;
  virtual ~Router() = default;

  // scores [T, E] with gradient -> who serves each row. Throws Error for NaN scores.
  virtual Routing route(Tape& tape, const Tensor& scores, const RouterContext& context) = 0;
  // Trained with the model; empty for most.
  virtual std::vector<Parameter> parameters() const { return {}; }
  // State that is saved but has no gradient, such as a loss-free bias.
  virtual std::vector<Parameter> buffers() const { return {}; }
  // Once per optimizer step, with the rows each expert was asked for over the whole global batch: [E].
  virtual void after_step(std::span<const std::int64_t> /*requested_rows*/) {}
};

}  // namespace witan
