// A router turns scores into an assignment.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
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

// What only the end of the forward pass tells about each row, for routers that learn from it in the backward pass.
struct RowFeedback {
  PooledVector<float> losses;  // [T] nats; filled between the forward and the backward pass, empty until then
  float share = 0.0F;          // of each loss in the objective: d objective / d losses[t]
};

// What the data tells about the tokens before training, for routers that fix their choices then.
struct VocabularyInfo {
  std::span<const std::int64_t> token_counts;  // [vocab_size], in the training text
  const Tensor* embedding = nullptr;           // [vocab_size, D]
};

// What a router may know of the rows besides their scores.
struct RouterContext {
  bool training = false;
  std::int64_t rows_per_sequence = 0;            // 0: all rows are one sequence
  std::span<const std::int32_t> token_ids = {};  // empty, or one id per row
  std::span<const std::int32_t> positions = {};  // empty, or the place of each row in its sequence; see position()
  std::int32_t token_before = -1;                // that precedes row 0, when the rows continue a sequence; -1: none
  // Empty (every row counts), or one per row: a row marked 0 is padding. It is neither routed nor counted, and its
  // output is 0.
  std::span<const std::uint8_t> row_mask = {};
  // Which micro-batch of the optimizer step this is. Balance terms of scope "global_batch" average over the rows of all
  // micro-batches since number 0.
  std::int64_t micro_batch = 0;
  Random* random = nullptr;      // drawn from in training only, unless the router says otherwise
  const Tensor* rows = nullptr;  // [T, D], set by the layer: for routers with parameters of their own on the rows
  std::shared_ptr<const RowFeedback> feedback = nullptr;  // null when nobody will fill it

  bool masked(std::int64_t row) const { return !row_mask.empty() && row_mask[static_cast<std::size_t>(row)] == 0; }
  // Place of a row in its sequence, 0 = first.
  std::int64_t position(std::int64_t row) const {
    if (!positions.empty()) return positions[static_cast<std::size_t>(row)];
    return rows_per_sequence > 0 ? row % rows_per_sequence : row;
  }
};

// Which of very many experts serve each row, by row: nothing here grows with the number of experts.
struct Retrieval {
  std::shared_ptr<const PooledVector<std::int32_t>> experts;  // [T * M], -1: none in this slot
  Tensor weights;                                             // [T, M], with gradient; 0 where there is no expert
};

struct Routing {
  // Shared: the layer hands it to the tape too, because the backward pass reads it.
  std::shared_ptr<const Assignment> assignment;
  // [num_assigned], in the order of the assignment and equal to its combine_weights; carries the router's gradient.
  Tensor combine_weights;
  // [T, E] with gradient: what the balance losses average (softmax of the scores, or what stands for it). Undefined for
  // a router without probabilities, such as a hash: no balance loss applies.
  Tensor probabilities = {};
  // Terms of the router's own, such as the noisy top-k's smooth load.
  std::vector<BalanceTerm> terms = {};
  // Undefined, or [T] with gradient: the layer adds identity_weights[t] * rows[t] to its output (BASE layers).
  Tensor identity_weights = {};
  // Soft routing: the experts see these rows [S, D] instead of the layer's, `assignment` has num_rows = S, and `spread`
  // turns the combined expert outputs [S, D] into the layer's rows [T, D]. Undefined and empty otherwise.
  Tensor expert_rows = {};
  std::function<Tensor(Tape& tape, const Tensor& expert_outputs)> spread = {};
  // Set by routers that retrieve single neurons (RouterKind::kRetrieval), and what the layer computes from then.
  // `assignment` tells metrics and observers which groups of experts were asked, and its weights carry no gradient.
  std::optional<Retrieval> retrieval = {};
};

class Router {
 public:
  Router() = default;
  Router(const Router&) = delete;
  Router& operator=(const Router&) = delete;
  virtual ~Router() = default;

  // scores [T, E] with gradient -> who serves each row. A router whose entry says uses_gate = false gets undefined
  // scores and counts context.rows. Throws Error naming the row for scores that are NaN or +inf, or
  // all -inf.
  virtual Routing route(Tape& tape, const Tensor& scores, const RouterContext& context) = 0;
  // Trained with the model; empty for most.
  virtual std::vector<Parameter> parameters() const { return {}; }
  // State that is saved but has no gradient, such as a loss-free bias.
  virtual std::vector<Parameter> buffers() const { return {}; }
  // Once, before the first step of a new model; not when a checkpoint is loaded.
  virtual void prepare(const VocabularyInfo& /*vocabulary*/) {}
  // Once per optimizer step, with the rows each expert was asked for over the whole global batch: [E].
  virtual void after_step(std::span<const std::int64_t> /*requested_rows*/) {}
};

}  // namespace witan
