// Weights held as bfloat16 or float16 under every instruction set: near the reference, and the same bits as the same
// weights in f32 where both are tiles of our engine.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "kernels/embedding.h"
#include "kernels/expert_feed_forward.h"
#include "kernels/gemm.h"
#include "support/compare.h"
#include "support/isa.h"
#include "support/normals.h"

namespace witan::kernels {
namespace brief_weights_test {

using test::normals;

BFloat16 rounded(float value, BFloat16 /*kind*/) { return to_bfloat16(value); }
Float16 rounded(float value, Float16 /*kind*/) { return to_float16(value); }

WeightBank<const float> bank_of(const BFloat16* values, std::int64_t out, std::int64_t in) {
  return {nullptr, out, in, values};
}
WeightBank<const float> bank_of(const Float16* values, std::int64_t out, std::int64_t in) {
  return {nullptr, out, in, nullptr, values};
}

// The same weights in both precisions.
template <class Brief>
struct Weights {
  Weights(std::int64_t size, std::uint64_t seed) : wide(normals(size, seed)) {
    for (float& value : wide) {
      brief.push_back(rounded(value, Brief()));
      value = to_float(brief.back());
    }
  }
  std::vector<float> wide;
  std::vector<Brief> brief;
};

struct Sizes {
  std::int64_t rows, in, out;
};

// One row, odd everything, several blocks of depth, more depth than one run takes.
constexpr Sizes kSizes[] = {{1, 40, 67}, {4, 33, 131}, {5, 35, 131}, {29, 701, 33}, {3, 5003, 9}, {2, 3, 1}};

template <class Brief>
class BriefWeightsTest : public testing::Test {};
using Kinds = testing::Types<BFloat16, Float16>;
TYPED_TEST_SUITE(BriefWeightsTest, Kinds);

TYPED_TEST(BriefWeightsTest, LinearMapMatchesItsReference) {
  for (const auto& [rows, in, out] : kSizes) {
    const std::vector<float> x = normals(rows * in, 1);
    const Weights<TypeParam> weights(out * in, 2);
    test::for_each_isa([&, rows = rows, in = in, out = out] {
      std::vector<float> y(static_cast<std::size_t>(rows * out));
      std::vector<float> expected = y;
      gemm({x.data(), rows, in}, MatrixView<const TypeParam>(weights.brief.data(), out, in), {y.data(), rows, out});
      gemm_reference({x.data(), rows, in}, MatrixView<const TypeParam>(weights.brief.data(), out, in),
                     {expected.data(), rows, out});
      EXPECT_TRUE(test::near(y, expected, test::accumulation_tolerance(in, 16.0F)));
    });
  }
}

// Every pattern of sixteen bits, subnormal numbers too: products with the identity are the numbers themselves.
TYPED_TEST(BriefWeightsTest, EveryNumberIsReadExactly) {
  constexpr std::int64_t kDepth = 16;
  std::vector<TypeParam> all;
  for (std::uint32_t bits = 0; bits < 1U << 16; ++bits) {
    const TypeParam value{static_cast<std::uint16_t>(bits)};
    all.push_back(std::isfinite(to_float(value)) ? value : TypeParam());
  }
  const auto count = static_cast<std::int64_t>(all.size()) / kDepth;
  std::vector<float> identity(kDepth * kDepth);
  for (std::size_t i = 0; i < kDepth; ++i) identity[i * (kDepth + 1)] = 1.0F;
  for (const std::int64_t rows : {std::int64_t{3}, kDepth}) {  // dot products, tiles
    test::for_each_isa([&] {
      std::vector<float> y(static_cast<std::size_t>(rows * count));
      gemm({identity.data(), rows, kDepth}, MatrixView<const TypeParam>(all.data(), count, kDepth),
           {y.data(), rows, count});
      std::int64_t wrong = 0;
      for (std::int64_t r = 0; r < rows; ++r) {
        for (std::int64_t c = 0; c < count; ++c) {
          const float expected = to_float(all[static_cast<std::size_t>(c * kDepth + r)]);
          if (y[static_cast<std::size_t>(r * count + c)] != expected) ++wrong;
        }
      }
      EXPECT_EQ(wrong, 0) << "with " << rows << " rows";
    });
  }
}

TYPED_TEST(BriefWeightsTest, InfinitiesAndNanStayWhatTheyAre) {
  constexpr std::int64_t kDepth = 16;
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  std::vector<TypeParam> weights;
  for (const float value : {kInfinity, -kInfinity, std::numeric_limits<float>::quiet_NaN()}) {
    weights.insert(weights.end(), kDepth, rounded(value, TypeParam()));
  }
  for (const std::int64_t rows : {2, 9}) {
    const std::vector<float> ones(static_cast<std::size_t>(rows * kDepth), 1.0F);
    test::for_each_isa([&] {
      std::vector<float> y(static_cast<std::size_t>(rows * 3));
      gemm({ones.data(), rows, kDepth}, MatrixView<const TypeParam>(weights.data(), 3, kDepth), {y.data(), rows, 3});
      EXPECT_EQ(y[0], kInfinity);
      EXPECT_EQ(y[1], -kInfinity);
      EXPECT_TRUE(std::isnan(y[2]));
    });
  }
}

TYPED_TEST(BriefWeightsTest, ExpertsGiveTheBitsOfF32) {
  constexpr std::int64_t kHidden = 37;
  constexpr std::int64_t kWidth = 53;
  const std::vector<std::int64_t> offsets = {0, 7, 7, 12, 30};  // no expert with so few rows that they are dot products
  const std::vector<float> x = normals(30 * kHidden, 3);
  const Weights<TypeParam> gate(4 * kWidth * kHidden, 4);
  const Weights<TypeParam> up(4 * kWidth * kHidden, 5);
  const Weights<TypeParam> down(4 * kWidth * kHidden, 6);
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
          {}, bank_of(up.brief.data(), kWidth, kHidden), bank_of(down.brief.data(), kHidden, kWidth)};
      if (gated) {
        wide.gate = {gate.wide.data(), kWidth, kHidden};
        brief.gate = bank_of(gate.brief.data(), kWidth, kHidden);
      }
      EXPECT_EQ(brief.gated(), gated);
      EXPECT_TRUE(test::identical(run(brief), run(wide)));
    });
  }
}

TYPED_TEST(BriefWeightsTest, GroupedProductMatchesItsReference) {
  const std::vector<std::int64_t> offsets = {0, 3, 3, 20};
  const std::vector<std::int32_t> rows = {4, 0, 4, 1, 2, 3, 4, 0, 1, 2, 3, 4, 0, 1, 2, 3, 4, 0, 1, 2};
  const std::vector<float> x = normals(5 * 41, 7);
  const Weights<TypeParam> weights(3 * 19 * 41, 8);
  const WeightBank<const float> bank = bank_of(weights.brief.data(), 19, 41);
  std::vector<float> y(20 * 19);
  std::vector<float> expected = y;
  grouped_gemm({offsets, rows}, {x.data(), 5, 41}, bank, {y.data(), 20, 19});
  grouped_gemm_reference({offsets, rows}, {x.data(), 5, 41}, bank, {expected.data(), 20, 19});
  EXPECT_TRUE(test::near(y, expected, test::accumulation_tolerance(41, 16.0F)));
}

TYPED_TEST(BriefWeightsTest, RowsOfATable) {
  const Weights<TypeParam> table(6 * 11, 9);
  const std::vector<std::int32_t> ids = {5, 0, 5};
  std::vector<float> y(3 * 11);
  std::vector<float> expected = y;
  gather_rows(MatrixView<const TypeParam>(table.brief.data(), 6, 11), ids, {y.data(), 3, 11});
  gather_rows_reference({table.wide.data(), 6, 11}, ids, {expected.data(), 3, 11});
  EXPECT_TRUE(test::identical(y, expected));
}

}  // namespace brief_weights_test
}  // namespace witan::kernels
