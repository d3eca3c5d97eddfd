// Normalisation of each column over the rows of a batch: a row's result depends on the other rows, unless the
// statistics are kept from elsewhere.
#pragma once

#include <cstdint>
#include <span>

#include "autograd/tape.h"

namespace witan::ops {

struct ColumnStatistics {
  Tensor mean;      // [C]
  Tensor variance;  // [C], population
};

// Over the rows of x [T, C] that are not masked (empty mask: all); 0 and 1 without any. Summed in double.
ColumnStatistics column_statistics(const Tensor& x, std::span<const std::uint8_t> row_mask);

// y = weight * (x - mean) / sqrt(variance + epsilon) + bias: x [T, C], weight and bias [C]. Ioffe & Szegedy 2015.
// `of_batch`: the statistics are column_statistics(x, row_mask), and the gradient goes through them; else they are
// constants. Throws Error when the shapes do not fit.
Tensor batch_norm(Tape& tape, const Tensor& x, const Tensor& weight, const Tensor& bias,
                  const ColumnStatistics& statistics, bool of_batch, std::span<const std::uint8_t> row_mask,
                  float epsilon);

}  // namespace witan::ops
