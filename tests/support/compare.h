// The one way tests compare numbers: a tolerance derived from the precision and the size of what was summed, and a
// message that names the worst element.
#pragma once

#include <gtest/gtest.h>

#include <span>

namespace witan::test {

// How far a result may be from the truth: `terms` products of operands whose largest product is `magnitude` were added
// in f32, in any order. Rounding grows as a random walk: 4 * 2^-24 * magnitude * (1 + sqrt(terms)), and twice that to
// spare.
float accumulation_tolerance(std::int64_t terms, float magnitude);

// Largest absolute value.
float max_abs(std::span<const float> values);

// All elements within `tolerance` (absolute); equal NaNs fail. The message gives index, values and difference of the
// worst.
testing::AssertionResult near(std::span<const float> actual, std::span<const float> expected, float tolerance);
// Same bits.
testing::AssertionResult identical(std::span<const float> actual, std::span<const float> expected);

}  // namespace witan::test
