// Rotary embedding: the table of angles, and the op.
#include "autograd/ops/rope.h"

#include <cmath>

#include "autograd/ops/gradient_views.h"
#include "base/error.h"
#include "base/pool.h"
#include "kernels/rope.h"

namespace witan::ops {

std::int64_t RopeTable::positions() const {
  return head_dim < 2 ? 0 : static_cast<std::int64_t>(cosines.size()) / (head_dim / 2);
}

RopeTable make_rope_table(std::int64_t head_dim, std::int64_t max_positions, double theta) {
  if (head_dim < 2 || head_dim % 2 != 0) fail("rope: head_dim={} must be even and at least 2", head_dim);
  if (max_positions < 0) fail("rope: max_positions={} must not be negative", max_positions);
  if (!(theta > 0.0)) fail("rope: theta={} must be above 0", theta);
  const std::int64_t half = head_dim / 2;
  RopeTable table;
  table.head_dim = head_dim;
  table.cosines.resize(static_cast<std::size_t>(max_positions * half));
  table.sines.resize(table.cosines.size());
  for (std::int64_t i = 0; i < half; ++i) {
    const double frequency = std::pow(theta, -2.0 * static_cast<double>(i) / static_cast<double>(head_dim));
    for (std::int64_t position = 0; position < max_positions; ++position) {
      // In double: an angle of 10^5 radians would lose its low digits in f32.
      const double angle = static_cast<double>(position) * frequency;
      const auto at = static_cast<std::size_t>(position * half + i);
      table.cosines[at] = static_cast<float>(std::cos(angle));
      table.sines[at] = static_cast<float>(std::sin(angle));
    }
  }
  return table;
}

Tensor rope(Tape& tape, const Tensor& x, const RopeTable& table, std::span<const std::int32_t> positions) {
  if (table.head_dim < 2 || x.shape().rank() < 1 || x.cols() % table.head_dim != 0) {
    fail("rope: x={} does not fit head_dim={}; expected [T, heads * head_dim]", x.shape().to_string(), table.head_dim);
  }
  if (static_cast<std::int64_t>(positions.size()) != x.rows()) {
    fail("rope: {} positions for the {} rows of x={}", positions.size(), x.rows(), x.shape().to_string());
  }
  for (const std::int32_t position : positions) {
    if (position < 0 || position >= table.positions()) {
      fail("rope: position={} is outside the table of {} positions", position, table.positions());
    }
  }
  Tensor y = tape.output(x.shape(), {&x});
  kernels::rope(x.matrix(), table.head_dim, table.cosines.data(), table.sines.data(), positions.data(), false,
                y.matrix(), false);
  if (!y.requires_grad()) return y;
  tape.record(y, [dy = y.grad(), dx = x.grad(), &table,
                  positions = PooledVector<std::int32_t>(positions.begin(), positions.end())] {
    const kernels::GradientView sink = matrix_sink(dx);
    kernels::rope(dy.matrix(), table.head_dim, table.cosines.data(), table.sines.data(), positions.data(), true,
                  sink.matrix, sink.accumulate);
  });
  return y;
}

}  // namespace witan::ops
