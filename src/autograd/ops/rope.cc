// Rotary embedding: the table of angles, and the op.
#include "autograd/ops/rope.h"

#include <cmath>
#include <utility>

#include "autograd/ops/gradient_views.h"
#include "base/error.h"
#include "base/pool.h"
#include "kernels/rope.h"

namespace witan::ops {

std::int64_t RopeTable::positions() const {
  return head_dim < 2 ? 0 : static_cast<std::int64_t>(cosines.size()) / (head_dim / 2);
}

RopeTable make_rope_table(std::int64_t head_dim, std::int64_t first, std::int64_t count,
                          std::span<const double> inverse_frequencies, double factor) {
  if (head_dim < 2 || head_dim % 2 != 0) fail("rope: head_dim={} must be even and at least 2", head_dim);
  if (first < 0 || count < 0) fail("rope: {} positions from {} on must not be negative", count, first);
  const std::int64_t half = head_dim / 2;
  const auto turned = static_cast<std::int64_t>(inverse_frequencies.size());
  if (turned > half) fail("rope: {} frequencies for the {} pairs of head_dim={}", turned, half, head_dim);
  RopeTable table;
  table.head_dim = head_dim;
  table.first = first;
  table.cosines.assign(static_cast<std::size_t>(count * half), 1.0F);
  table.sines.assign(table.cosines.size(), 0.0F);
  for (std::int64_t row = 0; row < count; ++row) {
    for (std::int64_t i = 0; i < turned; ++i) {
      // In double: an angle of 10^5 radians would lose its low digits in f32.
      const double angle = static_cast<double>(first + row) * inverse_frequencies[static_cast<std::size_t>(i)];
      const auto at = static_cast<std::size_t>(row * half + i);
      table.cosines[at] = static_cast<float>(factor * std::cos(angle));
      table.sines[at] = static_cast<float>(factor * std::sin(angle));
    }
  }
  return table;
}

RopeTable make_rope_table(std::int64_t head_dim, std::int64_t max_positions, double theta) {
  if (max_positions < 0) fail("rope: max_positions={} must not be negative", max_positions);
  if (!(theta > 0.0)) fail("rope: theta={} must be above 0", theta);
  std::vector<double> frequencies;
  for (std::int64_t i = 0; i < head_dim / 2; ++i) {
    frequencies.push_back(std::pow(theta, -2.0 * static_cast<double>(i) / static_cast<double>(head_dim)));
  }
  return make_rope_table(head_dim, 0, max_positions, frequencies, 1.0);
}

Tensor rope(Tape& tape, const Tensor& x, const RopeTable& table, std::span<const std::int32_t> positions) {
  if (table.head_dim < 2 || x.shape().rank() < 1 || x.cols() % table.head_dim != 0) {
    fail("rope: x={} does not fit head_dim={}; expected [T, heads * head_dim]", x.shape().to_string(), table.head_dim);
  }
  if (static_cast<std::int64_t>(positions.size()) != x.rows()) {
    fail("rope: {} positions for the {} rows of x={}", positions.size(), x.rows(), x.shape().to_string());
  }
  for (const std::int32_t position : positions) {
    if (position < table.first || position >= table.first + table.positions()) {
      fail("rope: position={} is outside the table of {} positions from {} on", position, table.positions(),
           table.first);
    }
  }
  PooledVector<std::int32_t> table_rows(positions.begin(), positions.end());
  for (std::int32_t& row : table_rows) row -= static_cast<std::int32_t>(table.first);
  Tensor y = tape.output(x.shape(), {&x});
  kernels::rope(x.matrix(), table.head_dim, table.cosines.data(), table.sines.data(), table_rows.data(), false,
                y.matrix(), false);
  tape.record(y, [dy = y.grad(), dx = x.grad(), &table, table_rows = std::move(table_rows)] {
    const kernels::GradientView sink = matrix_sink(dx);
    kernels::rope(dy.matrix(), table.head_dim, table.cosines.data(), table.sines.data(), table_rows.data(), true,
                  sink.matrix, sink.accumulate);
  });
  return y;
}

}  // namespace witan::ops
