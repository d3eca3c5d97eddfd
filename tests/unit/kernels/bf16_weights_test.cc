// Weights held as bfloat16 under every instruction set: near the reference, and the same bits as the same weights in
// f32 where both are tiles of our engine.
#include <gtest/gtest.h>

#include <vector>

#include "base/random.h"
#include "kernels/embedding.h"
#include "kernels/expert_feed_forward.h"
#include "kernels/gemm.h"
#include "support/compare.h"
#include "support/isa.h"

namespace witan::kernels {
namespace bf16_weights_test {

std::vector<float> filled(std::int64_t size, std::uint64_t seed) {
  std::vector<float> values(static_cast<std::size_t>(size));
  Random(seed).fill_normal(values, 0.0F, 1.0F);
  return values;
}

// The same weights in both precisions.
struct Weights {
  Weights(std::int64_t size, std::uint64_t seed) : wide(filled(size, seed)) {
    for (float& value : wide) {
      brief.push_back(to_bfloat16(value));
      value = to_float(brief.back());
    }
  }
  std::vector<float> wide;
  std::vector<BFloat16> brief;
};

struct Sizes {
  std::int64_t rows, in, out;
};

// One row, odd everything, several blocks of depth, more depth than one run takes.
constexpr Sizes kSizes[] = {{1, 40, 67}, {4, 33, 131}, {5, 35, 131}, {29, 701, 33}, {3, 5003, 9}, {2, 3, 1}};

TEST(Bf16WeightsTest, LinearMapMatchesItsReference) {
  for (const auto& [rows, in, out] : kSizes) {
    const std::vector<float> x = filled(rows * in, 1);
    const Weights weights(out * in, 2);
    test::for_each_isa([&, rows = rows, in = in, out = out] {
      std::vector<float> y(static_cast<std::size_t>(rows * out));
      std::vector<float> expected = y;
      gemm({x.data(), rows, in}, {weights.brief.data(), out, in}, {y.data(), rows, out});
      gemm_reference({x.data(), rows, in}, {weights.brief.data(), out, in}, {expected.data(), rows, out});
      EXPECT_TRUE(test::near(y, expected, test::accumulation_tolerance(in, 16.0F)));
    });
  }
}

TEST(Bf16WeightsTest, ExpertsGiveTheBitsOfF32) {
  constexpr std::int64_t kHidden = 37;
  constexpr std::int64_t kWidth = 53;
  const std::vector<std::int64_t> offsets = {0, 7, 7, 12, 30};  // no expert with so few rows that they are dot products
  const std::vector<float> x = filled(30 * kHidden, 3);
  const Weights gate(4 * kWidth * kHidden, 4);
  const Weights up(4 * kWidth * kHidden, 5);
  const Weights down(4 * kWidth * kHidden, 6);
  for (const bool gated : {false, true}) {
    test::for_each_isa([&] {
      const auto run = [&](const FeedForwardBank<const float>& bank) {
        std::vector<float> gates(30 * kWidth), ups(30 * kWidth), y(30 * kHidden);
        const Matrix hidden(ups.data(), 30, kWidth);
        expert_feed_forward({offsets, {}}, {x.data(), 30, kHidden}, bank, Activation::kSilu,
                            {{gates.data(), 30, kWidth}, hidden, hidden}, {y.data(), 30, kHidden});
        return y;
      };
      FeedForwardBank<const float> wide{{}, {up.wide.data(), kWidth, kHidden}, {down.wide.data(), kHidden, kWidth}};
      FeedForwardBank<const float> brief{
          {}, {nullptr, kWidth, kHidden, up.brief.data()}, {nullptr, kHidden, kWidth, down.brief.data()}};
      if (gated) {
        wide.gate = {gate.wide.data(), kWidth, kHidden};
        brief.gate = {nullptr, kWidth, kHidden, gate.brief.data()};
      }
      EXPECT_EQ(brief.gated(), gated);
      EXPECT_TRUE(test::identical(run(brief), run(wide)));
    });
  }
}

TEST(Bf16WeightsTest, GroupedProductMatchesItsReference) {
  const std::vector<std::int64_t> offsets = {0, 3, 3, 20};
  const std::vector<std::int32_t> rows = {4, 0, 4, 1, 2, 3, 4, 0, 1, 2, 3, 4, 0, 1, 2, 3, 4, 0, 1, 2};
  const std::vector<float> x = filled(5 * 41, 7);
  const Weights weights(3 * 19 * 41, 8);
  const WeightBank<const float> bank{nullptr, 19, 41, weights.brief.data()};
  std::vector<float> y(20 * 19);
  std::vector<float> expected = y;
  grouped_gemm({offsets, rows}, {x.data(), 5, 41}, bank, {y.data(), 20, 19});
  grouped_gemm_reference({offsets, rows}, {x.data(), 5, 41}, bank, {expected.data(), 20, 19});
  EXPECT_TRUE(test::near(y, expected, test::accumulation_tolerance(41, 16.0F)));
}

TEST(Bf16WeightsTest, RowsOfATable) {
  const Weights table(6 * 11, 9);
  const std::vector<std::int32_t> ids = {5, 0, 5};
  std::vector<float> y(3 * 11);
  std::vector<float> expected = y;
  gather_rows(MatrixView<const BFloat16>(table.brief.data(), 6, 11), ids, {y.data(), 3, 11});
  gather_rows_reference({table.wide.data(), 6, 11}, ids, {expected.data(), 3, 11});
  EXPECT_TRUE(test::identical(y, expected));
}

}  // namespace bf16_weights_test
}  // namespace witan::kernels
