// A differentiable estimate of how many rows choose each expert when scores are noisy: the probability, over a fresh
// draw of its own noise alone, that an expert is among a row's k best. Shazeer et al. 2017, appendix A.
#pragma once

#include <cstdint>
#include <span>

#include "autograd/tape.h"
#include "routers/score_noise.h"

namespace witan {

// clean and noisy [T, E]; `counts`: empty, or one per row, 0: the row is left out. Row t belongs to group t % groups.
// -> [groups, E]: sum over the rows of a group of Phi((clean - thr) / sigma) with thr the k-th largest of the row's
// other noisy scores. Without noise, or with k = E, the number of rows that choose the expert: no gradient.
Tensor smooth_load(Tape& tape, const Tensor& clean, const NoisyScores& noisy, std::int64_t k,
                   std::span<const std::uint8_t> counts, std::int64_t groups = 1);

}  // namespace witan
