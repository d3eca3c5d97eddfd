// Matrix product in f32: the one seam behind which the implementation may change. Not batched, not grouped.
#pragma once

#include "base/bfloat16.h"
#include "base/float16.h"
#include "base/views.h"

namespace witan::kernels {

// How an operand is read.
enum class Op { kPlain, kTransposed };

// c = op(a) op(b) + beta c, with beta 0 (c may be uninitialized) or 1. Shapes after op: a [m, k], b [k, n], c [m, n];
// any of them may be 0. Rows may be strided; c must not overlap a or b. Uses all threads, or the calling one inside a
// parallel loop. The same bits for the same number of threads.
void gemm(Op op_a, Op op_b, ConstMatrix a, ConstMatrix b, float beta, Matrix c);

// c = a b', a [m, k], b [n, k], c [m, n]: a linear map, with weights in f32 or in sixteen bits as they were released.
inline void gemm(ConstMatrix a, ConstMatrix b, Matrix c) { gemm(Op::kPlain, Op::kTransposed, a, b, 0.0F, c); }
void gemm(ConstMatrix a, MatrixView<const BFloat16> b, Matrix c);
void gemm(ConstMatrix a, MatrixView<const Float16> b, Matrix c);

// The same, by three loops in double precision.
void gemm_reference(Op op_a, Op op_b, ConstMatrix a, ConstMatrix b, float beta, Matrix c);
void gemm_reference(ConstMatrix a, MatrixView<const BFloat16> b, Matrix c);
void gemm_reference(ConstMatrix a, MatrixView<const Float16> b, Matrix c);

}  // namespace witan::kernels
