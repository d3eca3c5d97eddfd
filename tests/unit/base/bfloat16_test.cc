// BFloat16: all 65536 of them, and what lies between two.
#include "base/bfloat16.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace witan {
namespace bfloat16_test {

TEST(BFloat16Test, EveryValueComesBack) {
  for (std::uint32_t bits = 0; bits < 0x10000U; ++bits) {
    const BFloat16 value{static_cast<std::uint16_t>(bits)};
    const float wide = to_float(value);
    if (std::isnan(wide)) {
      EXPECT_TRUE(std::isnan(to_float(to_bfloat16(wide))));
    } else {
      EXPECT_EQ(to_bfloat16(wide).bits, bits);
    }
  }
}

TEST(BFloat16Test, RoundsToTheNearestWithTiesToEven) {
  constexpr float kStep = 0x1p-7F;  // between 1 and 2
  EXPECT_EQ(to_float(to_bfloat16(1.0F + 0.49F * kStep)), 1.0F);
  EXPECT_EQ(to_float(to_bfloat16(1.0F + 0.5F * kStep)), 1.0F);
  EXPECT_EQ(to_float(to_bfloat16(1.0F + 0.51F * kStep)), 1.0F + kStep);
  EXPECT_EQ(to_float(to_bfloat16(1.0F + 1.5F * kStep)), 1.0F + 2.0F * kStep);
  EXPECT_EQ(to_float(to_bfloat16(-(1.0F + 1.5F * kStep))), -(1.0F + 2.0F * kStep));
  EXPECT_EQ(to_float(to_bfloat16(std::numeric_limits<float>::max())), std::numeric_limits<float>::infinity());
  EXPECT_EQ(to_float(to_bfloat16(std::numeric_limits<float>::denorm_min())), 0.0F);
}

}  // namespace bfloat16_test
}  // namespace witan
