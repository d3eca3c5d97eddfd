// Experts of one neuron each, many of them per row: y = sum of w act(<u, x>) v. Rows of the tables u and v are read in
// place, and nothing here grows with the number of experts: neither time nor memory.
#pragma once

#include <cstdint>
#include <span>

#include "base/pool.h"
#include "base/views.h"
#include "kernels/activation.h"
#include "kernels/gradient_view.h"

namespace witan::kernels {

// A row names M experts, -1: none in this slot.
struct NeuronChoice {
  std::span<const std::int32_t> experts;  // [T * M]
  std::int64_t per_row = 0;               // M
};

// y[t] = sum over m of weights[t, m] act(<up[e], x[t]>) down[e], e = experts[t, m]. x and y [T, D], up and down [E, D],
// weights [T, M]. hidden [T, M] receives <up[e], x[t]>, 0 where there is no expert; for the backward pass.
void neuron_mixture(ConstMatrix x, ConstMatrix up, ConstMatrix down, const NeuronChoice& choice, ConstMatrix weights,
                    Activation activation, Matrix hidden, Matrix y);

// What the backward pass of each row leaves for the tables: d up[e] = sum of slopes x, d down[e] = sum of outputs dy.
struct NeuronTerms {
  Matrix slopes;   // [T, M], weight act'(hidden) <down, dy>
  Matrix outputs;  // [T, M], weight act(hidden)
};
// dx and d_weights are skipped when not wanted.
void neuron_mixture_backward(ConstMatrix dy, ConstMatrix up, ConstMatrix down, const NeuronChoice& choice,
                             ConstMatrix weights, ConstMatrix hidden, Activation activation, GradientView dx,
                             GradientView d_weights, const NeuronTerms& terms);

// The slots of a choice by expert: those of experts[i] are slots[offsets[i]] .. slots[offsets[i + 1] - 1], ascending.
struct ChosenExperts {
  PooledVector<std::int32_t> experts;  // ascending, each once
  PooledVector<std::int64_t> offsets;
  PooledVector<std::int32_t> slots;
};
// By radix sort: linear in T * M, whatever the number of experts.
ChosenExperts group_by_expert(const NeuronChoice& choice);

// table[i] += sum over the slots s of chosen expert i of factors[s] rows[s / M]: one row of the gradient per chosen
// expert, each of rows.cols values.
void add_to_table(const ChosenExperts& chosen, std::int64_t per_row, ConstMatrix factors, ConstMatrix rows,
                  std::span<float* const> table);

// The forward pass from plain loops in double, for tests.
void neuron_mixture_reference(ConstMatrix x, ConstMatrix up, ConstMatrix down, const NeuronChoice& choice,
                              ConstMatrix weights, Activation activation, Matrix y);

}  // namespace witan::kernels
