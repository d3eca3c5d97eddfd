// The rotation against plain loops in double, under every instruction set.
#include "kernels/rope.h"

#include <gtest/gtest.h>

#include <vector>

#include "support/compare.h"
#include "support/isa.h"
#include "support/normals.h"

namespace witan::kernels {
namespace kernels_rope_test {

using test::normals;

TEST(RopeKernelTest, MatchesReference) {
  for (const std::int64_t head_dim : {2, 4, 6, 20, 32, 64, 130}) {
    for (const std::int64_t rows : {0, 1, 90}) {
      for (const bool inverse : {false, true}) {
        SCOPED_TRACE(std::to_string(rows) + " rows, head_dim " + std::to_string(head_dim));
        const std::int64_t cols = 3 * head_dim;
        const std::int64_t stride = cols + 5;
        std::vector<float> x = normals(rows * stride + 1, 1);
        // Any numbers will do for the table.
        const std::vector<float> cosines = normals(11 * head_dim / 2, 2);
        const std::vector<float> sines = normals(11 * head_dim / 2, 3);
        std::vector<std::int32_t> positions;
        for (std::int64_t r = 0; r < rows; ++r) positions.push_back(static_cast<std::int32_t>(r * 7 % 11));
        const std::vector<float> before = normals(rows * stride + 1, 4);
        std::vector<float> expected = before;
        const ConstMatrix in(x.data() + 1, rows, cols, stride);
        rope_reference(in, head_dim, cosines.data(), sines.data(), positions.data(), inverse,
                       {expected.data() + 1, rows, cols, stride});
        test::for_each_isa([&] {
          std::vector<float> y = before;
          const Matrix out(y.data() + 1, rows, cols, stride);
          rope(in, head_dim, cosines.data(), sines.data(), positions.data(), inverse, out, false);
          EXPECT_TRUE(test::near(y, expected, 4e-6F));
          rope(in, head_dim, cosines.data(), sines.data(), positions.data(), inverse, out, true);
          for (std::int64_t r = 0; r < rows; ++r) {
            for (std::int64_t c = 0; c < cols; ++c) {
              ASSERT_NEAR(out(r, c), 2.0F * expected[static_cast<std::size_t>(1 + r * stride + c)], 1e-5F);
            }
          }
        });
      }
    }
  }
}

TEST(RopeKernelTest, MayRunInPlace) {
  test::for_each_isa([] {
    std::vector<float> x = normals(4 * 12, 1);
    std::vector<float> y(x.size());
    const std::vector<float> cosines = normals(6, 2);
    const std::vector<float> sines = normals(6, 3);
    const std::vector<std::int32_t> positions(4, 0);
    rope({x.data(), 4, 12}, 12, cosines.data(), sines.data(), positions.data(), false, {y.data(), 4, 12}, false);
    rope({x.data(), 4, 12}, 12, cosines.data(), sines.data(), positions.data(), false, {x.data(), 4, 12}, false);
    EXPECT_TRUE(test::identical(x, y));
  });
}

}  // namespace kernels_rope_test
}  // namespace witan::kernels
