// Feed-forward experts as one piece: the products of all experts with the nonlinearity applied while its operands are
// in the cache. For what these products are, see grouped_gemm.h.
#pragma once

#include "base/views.h"
#include "kernels/activation.h"
#include "kernels/grouped_gemm.h"

namespace witan::kernels {

// Gated: y = down (act(gate x) * (up x)). Plain, without a gate: y = down act(up x).
template <class T>
struct FeedForwardBank {
  WeightBank<T> gate;  // [E, F, D]
  WeightBank<T> up;    // [E, F, D]
  WeightBank<T> down;  // [E, D, F]
  bool gated() const { return gate.present(); }
};

// One row per entry, [num_entries, F]: gate (when gated) and up hold the products before the nonlinearity, which the
// backward pass needs; hidden holds its result, and may be the memory of up when there is no backward pass.
struct FeedForwardRows {
  Matrix gate;
  Matrix up;
  Matrix hidden;
};

// x [T or num_entries, D] as groups says -> y [num_entries, D]; fills `rows`.
void expert_feed_forward(const RowGroups& groups, ConstMatrix x, const FeedForwardBank<const float>& weights,
                         Activation activation, const FeedForwardRows& rows, Matrix y);

// Where the gradients go; a bank or matrix with null data is not computed.
struct FeedForwardGradients {
  Matrix dx;  // [num_entries, D], one row per entry, overwritten
  FeedForwardBank<float> weights;
  bool accumulate_gate = false;
  bool accumulate_up = false;
  bool accumulate_down = false;
};

// `rows` as the forward pass left gate and up; all of it is overwritten. dy [num_entries, D].
void expert_feed_forward_backward(const RowGroups& groups, ConstMatrix x, ConstMatrix dy,
                                  const FeedForwardBank<const float>& weights, Activation activation,
                                  const FeedForwardRows& rows, const FeedForwardGradients& gradients);

}  // namespace witan::kernels
