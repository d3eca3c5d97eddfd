// Feed-forward experts as one op: grouped products and the nonlinearity between them, forward and back. The same as
// grouped_linear and gated_activation one after the other, with less memory and fewer passes over it.
#pragma once

#include "autograd/tape.h"
#include "kernels/activation.h"
#include "witan/assignment.h"

namespace witan::ops {

// gate [E, F, D], or undefined for y = down act(up x); up [E, F, D]; down [E, D, F].
struct ExpertWeights {
  Tensor gate;
  Tensor up;
  Tensor down;
};

// Entry a of the assignment, owned by expert e: y[a] = down[e] (act(gate[e] x[t]) * (up[e] x[t])) with row t =
// row_indices[a]. x [T, D] -> [num_assigned, D]. The assignment must outlive the tape.
Tensor expert_feed_forward(Tape& tape, const Tensor& x, const Assignment& assignment, const ExpertWeights& weights,
                           Activation activation);

// The same for every row and the only expert (E = 1), without an assignment: x [T, D] -> [T, D], the same bits.
Tensor dense_feed_forward(Tape& tape, const Tensor& x, const ExpertWeights& weights, Activation activation);

}  // namespace witan::ops
