// Fused feed-forward experts on the tape. Kept for the backward pass: x and the products before the nonlinearity.
#include "autograd/ops/expert_feed_forward.h"

#include <array>

#include "autograd/ops/weight_bank.h"
#include "base/error.h"
#include "kernels/expert_feed_forward.h"
#include "kernels/scatter.h"

namespace witan::ops {
namespace {

using kernels::FeedForwardBank;
using kernels::RowGroups;
using kernels::WeightBank;

void check_shapes(const Tensor& x, std::int64_t experts, std::int64_t rows, const ExpertWeights& weights) {
  const Shape& up = weights.up.shape();
  const bool fits = x.shape().rank() == 2 && x.rows() == rows && up.rank() == 3 && up[0] == experts &&
                    up[2] == x.cols() && weights.down.shape() == Shape{experts, up[2], up[1]} &&
                    (!weights.gate.defined() || weights.gate.shape() == up);
  if (fits) return;
  fail(
      "expert_feed_forward: x {}, up {}, down {} and gate {} do not fit {} experts with {} rows, expected x [T, D], up "
      "and gate [E, F, D], down [E, D, F]",
      x.shape().to_string(), up.to_string(), weights.down.shape().to_string(), weights.gate.shape().to_string(),
      experts, rows);
}

FeedForwardBank<const float> bank_of(const ExpertWeights& weights) {
  FeedForwardBank<const float> bank{{}, weight_bank(weights.up), weight_bank(weights.down)};
  if (weights.gate.defined()) bank.gate = weight_bank(weights.gate);
  return bank;
}

// Opens the gradient of a weight for writing, if wanted.
void open(const Tensor& weight, WeightBank<float>& bank, bool& accumulate) {
  if (!weight.requires_grad()) return;
  const Gradient::Sink sink = weight.grad().sink();
  bank = {sink.data, weight.dim(1), weight.dim(2)};
  accumulate = sink.accumulate;
}

// What both passes share. `offsets` holds the bounds of the dense case, which has no assignment.
struct Call {
  const Assignment* assignment;  // null: every row to the only expert
  std::array<std::int64_t, 2> offsets;
  ExpertWeights weights;
  Activation activation;

  RowGroups groups() const {
    if (assignment == nullptr) return {offsets, {}};
    return {assignment->expert_offsets, assignment->row_indices};
  }
};

void backward(const Call& call, const Tensor& x, const Tensor& gate, const Tensor& up, const Gradient& dy) {
  const RowGroups groups = call.groups();
  const Tensor hidden = Tensor::uninitialized(up.shape());
  kernels::FeedForwardGradients gradients;
  Tensor per_entry;  // gradient of x before the entries of a row are added up
  Gradient::Sink x_sink{};
  if (x.requires_grad()) {
    x_sink = x.grad().sink();
    if (call.assignment == nullptr && !x_sink.accumulate) {
      gradients.dx = x.grad().matrix();
    } else {
      per_entry = Tensor::uninitialized({groups.num_entries(), x.cols()});
      gradients.dx = per_entry.matrix();
    }
  }
  open(call.weights.up, gradients.weights.up, gradients.accumulate_up);
  open(call.weights.down, gradients.weights.down, gradients.accumulate_down);
  if (gate.defined()) open(call.weights.gate, gradients.weights.gate, gradients.accumulate_gate);

  const kernels::FeedForwardRows rows{gate.defined() ? gate.matrix() : Matrix(), up.matrix(), hidden.matrix()};
  kernels::expert_feed_forward_backward(groups, x.matrix(), dy.matrix(), bank_of(call.weights), call.activation, rows,
                                        gradients);
  if (!per_entry.defined()) return;
  if (call.assignment == nullptr) {
    const std::span<float> sum = x.grad().values();
    for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += per_entry.values()[i];
  } else {
    kernels::sum_entries(kernels::entries_by_row(groups.row_indices, x.rows()), per_entry.matrix(), {},
                         x.grad().matrix(), x_sink.accumulate);
  }
}

Tensor run(Tape& tape, const Tensor& x, const Call& call) {
  const RowGroups groups = call.groups();
  const ExpertWeights& weights = call.weights;
  const std::int64_t width = weights.up.dim(1);
  const std::int64_t entries = groups.num_entries();
  Tensor y = tape.output({entries, x.cols()}, {&x, &weights.gate, &weights.up, &weights.down});
  const Tensor up = Tensor::uninitialized({entries, width});
  const Tensor gate = weights.gate.defined() ? Tensor::uninitialized({entries, width}) : Tensor();
  const Tensor hidden = y.requires_grad() ? Tensor::uninitialized({entries, width}) : up;
  kernels::expert_feed_forward(groups, x.matrix(), bank_of(weights), call.activation,
                               {gate.defined() ? gate.matrix() : Matrix(), up.matrix(), hidden.matrix()}, y.matrix());
  tape.record(y, [call, x, gate, up, dy = y.grad()] { backward(call, x, gate, up, dy); });
  return y;
}

}  // namespace

Tensor expert_feed_forward(Tape& tape, const Tensor& x, const Assignment& assignment, const ExpertWeights& weights,
                           Activation activation) {
  check_shapes(x, assignment.num_experts, assignment.num_rows, weights);
  return run(tape, x, {&assignment, {}, weights, activation});
}

Tensor dense_feed_forward(Tape& tape, const Tensor& x, const ExpertWeights& weights, Activation activation) {
  check_shapes(x, 1, x.rows(), weights);
  return run(tape, x, {nullptr, {0, x.rows()}, weights, activation});
}

}  // namespace witan::ops
