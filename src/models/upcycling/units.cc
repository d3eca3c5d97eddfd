// Copies and draws, unit by unit.
#include "models/upcycling/units.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/error.h"

namespace witan {

bool has_units(std::string_view projection) { return projection != "down_proj_bias"; }

void copy_units(const UnitMatrix<const float>& from, std::int64_t from_first, std::int64_t count, float factor,
                const UnitMatrix<float>& to, std::int64_t to_first) {
  WITAN_ASSERT(from.width == to.width && from_first + count <= from.units && to_first + count <= to.units);
  const std::int64_t lines = from.columns ? from.width : count;
  const std::int64_t length = from.columns ? count : from.width;
  for (std::int64_t line = 0; line < lines; ++line) {
    const auto [unit, i] =
        from.columns ? std::pair<std::int64_t, std::int64_t>{0, line} : std::pair<std::int64_t, std::int64_t>{line, 0};
    const float* in = from.values.data() + from.at(from_first + unit, i);
    float* out = to.values.data() + to.at(to_first + unit, i);
    if (factor == 1.0F) {
      std::copy_n(in, length, out);
    } else {
      std::transform(in, in + length, out, [=](float value) { return value * factor; });
    }
  }
}

std::vector<std::int64_t> draw_units(std::int64_t units, std::int64_t count, Random& random) {
  WITAN_ASSERT(count <= units);
  std::vector<std::int64_t> order(static_cast<std::size_t>(units));
  std::iota(order.begin(), order.end(), 0);
  for (std::int64_t i = 0; i < count; ++i) {  // Fisher and Yates, as far as needed
    const auto left = static_cast<std::uint64_t>(units - i);
    std::swap(order[static_cast<std::size_t>(i)], order[static_cast<std::size_t>(i) + random.below(left)]);
  }
  order.resize(static_cast<std::size_t>(count));
  std::sort(order.begin(), order.end());
  return order;
}

void redraw_units(const UnitMatrix<float>& matrix, std::span<const std::int64_t> units, Random& random) {
  if (units.empty()) return;
  std::vector<float> entries;
  entries.reserve(units.size() * static_cast<std::size_t>(matrix.width));
  for (const std::int64_t unit : units) {
    for (std::int64_t i = 0; i < matrix.width; ++i) entries.push_back(matrix.values[matrix.at(unit, i)]);
  }
  const Moments moments = moments_of(entries);
  random.fill_normal(entries, static_cast<float>(moments.mean), static_cast<float>(moments.deviation));
  auto next = entries.begin();
  for (const std::int64_t unit : units) {
    for (std::int64_t i = 0; i < matrix.width; ++i) matrix.values[matrix.at(unit, i)] = *next++;
  }
}

void add_noise(std::span<float> values, double relative, double share, Random& random) {
  if (relative == 0.0 || share == 0.0) return;
  const auto deviation = static_cast<float>(relative * moments_of(values).deviation);
  std::vector<float> chosen(values.size());
  std::vector<float> noise(values.size());
  random.fill_uniform(chosen, 0.0F, 1.0F);
  random.fill_normal(noise, 0.0F, deviation);
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (static_cast<double>(chosen[i]) < share) values[i] += noise[i];
  }
}

Moments moments_of(std::span<const float> values) {
  const auto count = static_cast<double>(values.size());
  if (values.empty()) return {};
  const double mean = std::accumulate(values.begin(), values.end(), 0.0) / count;
  double squares = 0.0;
  for (const float value : values) squares += (value - mean) * (value - mean);
  return {mean, std::sqrt(squares / count)};
}

}  // namespace witan
