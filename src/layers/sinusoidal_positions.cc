// Sines and cosines, in f32 as the tables of the references are made.
#include "layers/sinusoidal_positions.h"

#include <cmath>

#include "base/error.h"

namespace witan {

PooledVector<std::int32_t> padded_positions(std::span<const std::int32_t> ids, std::int32_t padding_id,
                                            std::int64_t past) {
  PooledVector<std::int32_t> positions(ids.size(), padding_id);
  auto number = static_cast<std::int32_t>(past);
  for (std::size_t i = 0; i < ids.size(); ++i) {
    if (ids[i] != padding_id) positions[i] = ++number + padding_id;
  }
  return positions;
}

Tensor sinusoidal_positions(std::span<const std::int32_t> positions, std::int64_t width, std::int32_t padding_id) {
  WITAN_ASSERT(width >= 4);
  constexpr double kLongest = 10000.0;
  const std::int64_t half = width / 2;
  const auto step = static_cast<float>(std::log(kLongest) / static_cast<double>(half - 1));
  Tensor rows = Tensor::zeros({static_cast<std::int64_t>(positions.size()), width});
  for (std::size_t i = 0; i < positions.size(); ++i) {
    if (positions[i] == padding_id) continue;
    float* const row = rows.matrix().row(static_cast<std::int64_t>(i));
    for (std::int64_t k = 0; k < half; ++k) {
      const float angle = static_cast<float>(positions[i]) * std::exp(static_cast<float>(k) * -step);
      row[k] = std::sin(angle);
      row[half + k] = std::cos(angle);
    }
  }
  return rows;
}

}  // namespace witan
