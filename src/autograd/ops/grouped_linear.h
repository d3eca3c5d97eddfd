// One matrix product per expert, over the rows that the assignment gives it.
#pragma once

#include "autograd/tape.h"
#include "witan/assignment.h"

namespace witan::ops {

// Entry a of the assignment, owned by expert e: y[a] = weight[e] x[row] (+ bias[e]), weight [E, out, in], bias [E, out]
// or undefined. `gather`: x is [T, in] and row = row_indices[a], read in place. Otherwise x is [num_assigned, in] and
// row = a.
// -> [num_assigned, out]. The assignment must outlive the tape (Tape::keep).
Tensor grouped_linear(Tape& tape, const Tensor& x, const Assignment& assignment, bool gather, const Tensor& weight,
                      const Tensor& bias = {});

}  // namespace witan::ops
