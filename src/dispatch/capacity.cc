// Capacity from factor, rounding and minimum.
#include "dispatch/capacity.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "base/suggest.h"

namespace witan {
namespace {

double rounded(double exact, CapacityRounding rounding) {
  // 1.1 * 10 is 11.000000000000002 in binary, and its ceiling must still be 11.
  const double nearest = std::round(exact);
  if (std::fabs(exact - nearest) <= 1e-9 * std::max(1.0, exact)) return nearest;
  switch (rounding) {
    case CapacityRounding::kCeil:
      return std::ceil(exact);
    case CapacityRounding::kFloor:
      return std::floor(exact);
    case CapacityRounding::kRound:
      return nearest;
  }
  throw_bug("unreachable", __FILE__, __LINE__);
}

}  // namespace

std::vector<std::string> capacity_rounding_names() { return {"ceil", "floor", "round"}; }

CapacityRounding parse_capacity_rounding(std::string_view name) {
  if (name == "ceil") return CapacityRounding::kCeil;
  if (name == "floor") return CapacityRounding::kFloor;
  if (name == "round") return CapacityRounding::kRound;
  fail("capacity_rounding: unknown value '{}'{}", name, suggestion(name, capacity_rounding_names()));
}

std::int64_t expert_capacity(const CapacityRule& rule, std::int64_t requested, std::int64_t num_experts) {
  WITAN_ASSERT(requested >= 0 && num_experts > 0 && rule.factor >= 0.0 && rule.multiple >= 1);
  if (rule.factor == 0.0) return kUnlimitedCapacity;
  const double exact = rule.factor * static_cast<double>(requested) / static_cast<double>(num_experts);
  // More than `requested` rows can never be asked of an expert, so a huge factor need not fit an integer.
  const double capacity = std::min(rounded(exact, rule.rounding), static_cast<double>(requested));
  const std::int64_t least = std::max(rule.minimum, static_cast<std::int64_t>(capacity));
  return (least + rule.multiple - 1) / rule.multiple * rule.multiple;
}

std::int64_t fraction_capacity(double fraction, std::int64_t rows) {
  WITAN_ASSERT(fraction > 0.0 && rows >= 0);
  return static_cast<std::int64_t>(rounded(fraction * static_cast<double>(rows), CapacityRounding::kCeil));
}

}  // namespace witan
