// The end of the mixture pipeline: what the experts said about a row, added up with the router's weights.
#pragma once

#include "autograd/tape.h"
#include "witan/assignment.h"

namespace witan {

// expert_outputs [num_assigned, D] and combine_weights [num_assigned], in the order of the assignment -> [T, D] with
// row t = sum over its entries a of combine_weights[a] expert_outputs[a]; 0 for a row without entries. Gradients go to
// both. The assignment must outlive the tape. Throws Error when the shapes do not fit.
Tensor combine(Tape& tape, const Tensor& expert_outputs, const Tensor& combine_weights, const Assignment& assignment);

}  // namespace witan
