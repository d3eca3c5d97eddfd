// Many small matrix products of one shape, such as one per sequence.
#pragma once

#include <cstdint>

#include "autograd/tape.h"
#include "kernels/gemm.h"

namespace witan::ops {

// a and b are `batch` blocks of rows each. kPlain: blocks a [m, k], b [k, n] -> [m, n]; kTransposed: a [k, m], b [k, n]
// -> [m, n] = a' b. The result has the blocks one below the other: [batch * m, n]. Throws Error when rows cannot be cut
// into `batch` blocks or the blocks do not fit.
Tensor batched_matmul(Tape& tape, kernels::Op op_a, const Tensor& a, const Tensor& b, std::int64_t batch);

}  // namespace witan::ops
