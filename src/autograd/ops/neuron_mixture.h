// Single-neuron experts as one op: gather, activate, weigh, add up. The gradients of its tables come in rows
// (Gradient::add_rows): only what a batch read is touched.
#pragma once

#include <cstdint>
#include <memory>

#include "autograd/tape.h"
#include "kernels/activation.h"

namespace witan::ops {

// x [T, D], up [E, 1, D], down [E, D, 1], experts [T * M] (-1: none), weights [T, M] -> [T, D]:
// y[t] = sum over m of weights[t, m] act(<up[e], x[t]>) down[e], e = experts[t, m]. He 2024, equation 1.
// Throws Error when the shapes do not fit or an expert is outside [-1, E).
Tensor neuron_mixture(Tape& tape, const Tensor& x, const Tensor& up, const Tensor& down,
                      const std::shared_ptr<const PooledVector<std::int32_t>>& experts, const Tensor& weights,
                      Activation activation);

}  // namespace witan::ops
