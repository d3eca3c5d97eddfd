// How many rows an expert serves at the most.
#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

namespace witan {

enum class CapacityRounding { kCeil, kFloor, kRound };

std::vector<std::string> capacity_rounding_names();               // "ceil", "floor", "round"
CapacityRounding parse_capacity_rounding(std::string_view name);  // throws Error naming the known ones

constexpr std::int64_t kUnlimitedCapacity = std::numeric_limits<std::int64_t>::max();

struct CapacityRule {
  double factor = 0.0;  // of the mean load; 0: unlimited
  CapacityRounding rounding = CapacityRounding::kCeil;
  std::int64_t minimum = 4;
  std::int64_t multiple = 1;  // the result is rounded up to a multiple of this
};

// max(minimum, round(factor * requested / num_experts)) for `requested` (row, expert) pairs: Fedus et al. 2021, eq. 3,
// with requested = rows * experts per row. A product that is whole but for rounding errors counts as whole.
std::int64_t expert_capacity(const CapacityRule& rule, std::int64_t requested, std::int64_t num_experts);
// ceil(fraction * rows), the capacity in evaluation of NLLB Team et al. 2022.
std::int64_t fraction_capacity(double fraction, std::int64_t rows);

}  // namespace witan
