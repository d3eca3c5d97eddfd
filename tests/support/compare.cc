// Comparison of f32 arrays.
#include "support/compare.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>

namespace witan::test {

float accumulation_tolerance(std::int64_t terms, float magnitude) {
  constexpr float kHalfUlp = 0x1p-24F;
  return 8.0F * kHalfUlp * magnitude * (1.0F + std::sqrt(static_cast<float>(terms)));
}

float max_abs(std::span<const float> values) {
  float largest = 0.0F;
  for (const float value : values) largest = std::max(largest, std::fabs(value));
  return largest;
}

testing::AssertionResult near(std::span<const float> actual, std::span<const float> expected, float tolerance) {
  if (actual.size() != expected.size()) {
    return testing::AssertionFailure() << "sizes differ: " << actual.size() << " and " << expected.size();
  }
  std::size_t worst = 0;
  float worst_difference = -1.0F;
  for (std::size_t i = 0; i < actual.size(); ++i) {
    const float difference = std::fabs(actual[i] - expected[i]);
    if (!(difference <= worst_difference)) {  // a NaN is the worst of all
      worst = i;
      worst_difference = difference;
      if (std::isnan(difference)) break;
    }
  }
  if (actual.empty() || worst_difference <= tolerance) return testing::AssertionSuccess();
  return testing::AssertionFailure() << "element " << worst << " is " << actual[worst] << ", expected "
                                     << expected[worst] << ": differs by " << worst_difference << ", tolerance "
                                     << tolerance;
}

testing::AssertionResult identical(std::span<const float> actual, std::span<const float> expected) {
  if (actual.size() != expected.size()) {
    return testing::AssertionFailure() << "sizes differ: " << actual.size() << " and " << expected.size();
  }
  for (std::size_t i = 0; i < actual.size(); ++i) {
    if (std::bit_cast<std::uint32_t>(actual[i]) != std::bit_cast<std::uint32_t>(expected[i])) {
      return testing::AssertionFailure() << "element " << i << " is " << actual[i] << ", expected the bits of "
                                         << expected[i];
    }
  }
  return testing::AssertionSuccess();
}

}  // namespace witan::test
