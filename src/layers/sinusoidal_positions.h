// Absolute positions as sines and cosines of falling frequencies: Vaswani et al. 2017, section 3.5, laid out as
// tensor2tensor and fairseq do (all sines, then all cosines). Nothing learned.
#pragma once

#include <cstdint>
#include <span>

#include "autograd/tensor.h"
#include "base/pool.h"

namespace witan {

// Places of the tokens of one sequence as fairseq numbers them: a token that is no padding stands at padding_id + its
// number among such tokens, counted from `past` + 1; padding stands at padding_id.
PooledVector<std::int32_t> padded_positions(std::span<const std::int32_t> ids, std::int32_t padding_id,
                                            std::int64_t past);

// positions [T], width >= 4 -> [T, width]: sin(p f_i), then cos(p f_i), with f_i = 10000^(-i / (width / 2 - 1)); the
// last column of an odd width is 0, and so is the whole row of padding_id.
Tensor sinusoidal_positions(std::span<const std::int32_t> positions, std::int64_t width, std::int32_t padding_id);

}  // namespace witan
