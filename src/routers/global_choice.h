// What routers share that weigh all rows of a batch against each other: checked benefits, weights from the raw scores.
// Not the assignment itself.
#pragma once

#include <cstdint>
#include <span>

#include "dispatch/choices.h"
#include "routers/token_choice.h"
#include "witan/router.h"

namespace witan {

// benefits [T', E] of the rows that are not masked: score less the row's largest, which no assignment notices; not
// below -1e12, so that sums are finite and solvers keep their footing. Throws Error like choose_top_k.
struct Benefits {
  Tensor values;
  PooledVector<std::int32_t> rows;       // [T'], of the batch
  PooledVector<std::int32_t> favourite;  // [T'], the expert of the largest score
};
Benefits row_benefits(const Tensor& scores, const RouterContext& context);

// experts [T' * k] of the rows of `benefits` as choices of a batch of T rows.
Choices spread_choices(const Benefits& benefits, std::span<const std::int32_t> experts, std::int64_t num_rows,
                       std::int64_t k);

// How many rows each expert gets when they are spread as evenly as they go: [E], sum = rows; the experts that more rows
// favour get the odd ones, the lowest index among equals.
PooledVector<std::int64_t> even_capacities(std::span<const std::int32_t> favourite, std::int64_t num_experts);

// Weights as S-BASE has them (Clark et al. 2022): sigmoid(h_i) with one expert per row, else softmax(h)_i, whatever
// decided the choice. With one expert in all it is 1. `probabilities` is softmax(h), on the tape.
Tensor raw_weights(Tape& tape, const Tensor& scores, const Tensor& probabilities, const Choices& choices);

}  // namespace witan
