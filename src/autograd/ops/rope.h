// Rotary position embedding, Su et al. 2021, in the half-split layout: element i of a head is paired with i + half.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "autograd/tape.h"

namespace witan::ops {

// Angle per position: cos and sin [positions, head_dim / 2], both times a factor that some scalings of RoPE have.
struct RopeTable {
  std::int64_t head_dim = 0;
  std::int64_t first = 0;  // position of the first row
  std::vector<float> cosines;
  std::vector<float> sines;
  std::int64_t positions() const;  // rows
};

// Rows for positions first .. first + count - 1. Pair i turns by position * inverse_frequencies[i]; the pairs of a head
// beyond those listed do not turn, and are not scaled. Throws Error when head_dim is odd or has fewer pairs.
RopeTable make_rope_table(std::int64_t head_dim, std::int64_t first, std::int64_t count,
                          std::span<const double> inverse_frequencies, double factor);
// Positions 0 .. max_positions - 1, with theta^(-2 i / head_dim). Throws Error when head_dim is odd.
RopeTable make_rope_table(std::int64_t head_dim, std::int64_t max_positions, double theta);

// x [T, heads * head_dim], positions [T] -> rotated, like x. Throws Error for a position outside the table.
// The table must outlive the tape.
Tensor rope(Tape& tape, const Tensor& x, const RopeTable& table, std::span<const std::int32_t> positions);

}  // namespace witan::ops
