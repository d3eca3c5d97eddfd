// Rotation of pairs (element i, element i + half) of each head by an angle per position. Su et al. 2021, eq. 34, in the
// half-split layout of Hugging Face.
#pragma once

#include <cstdint>

#include "base/views.h"

namespace witan::kernels {

// x [rows, heads * head_dim], positions [rows], cosines and sines [positions, head_dim / 2], head_dim even:
// y = x turned by +angle, or by -angle with `inverse` (the backward pass). Adds to y with `accumulate`; y may be x
// otherwise.
void rope(ConstMatrix x, std::int64_t head_dim, const float* cosines, const float* sines, const std::int32_t* positions,
          bool inverse, Matrix y, bool accumulate);

// The same from plain loops in double, overwriting y.
void rope_reference(ConstMatrix x, std::int64_t head_dim, const float* cosines, const float* sines,
                    const std::int32_t* positions, bool inverse, Matrix y);

}  // namespace witan::kernels
