// Relative buckets, sinusoidal positions, and attention with a bias.
#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "base/error.h"
#include "base/random.h"
#include "layers/biased_attention.h"
#include "layers/relative_positions.h"
#include "layers/sinusoidal_positions.h"
#include "support/compare.h"
#include "support/error_message.h"

namespace witan {
namespace positions_test {

TEST(RelativeBucketsTest, SingleDistancesThenOctavesBothWays) {
  const RelativeBuckets buckets{32, 128, true};  // T5's: 8 single distances a direction, then log2(128 / 8) = 4 octaves
  for (std::int64_t distance = 0; distance < 8; ++distance) EXPECT_EQ(buckets.bucket(-distance), distance);
  EXPECT_EQ(buckets.bucket(1), 17);
  EXPECT_EQ(buckets.bucket(-8), 8);
  EXPECT_EQ(buckets.bucket(-15), 9);   // 8 + floor(8 log(15 / 8) / log 16) = 8 + floor(1.81)
  EXPECT_EQ(buckets.bucket(-16), 10);  // a whole octave is two of eight buckets
  EXPECT_EQ(buckets.bucket(65), 16 + 14);
  EXPECT_EQ(buckets.bucket(-127), 15);
  EXPECT_EQ(buckets.bucket(100000), 31);
}

TEST(RelativeBucketsTest, OneWayAllBucketsLookBack) {
  const RelativeBuckets buckets{32, 128, false};
  EXPECT_EQ(buckets.bucket(5), 0);
  EXPECT_EQ(buckets.bucket(0), 0);
  EXPECT_EQ(buckets.bucket(-15), 15);
  EXPECT_EQ(buckets.bucket(-16), 16);
  EXPECT_EQ(buckets.bucket(-1000), 31);
}

TEST(RelativeBucketsTest, SizesWithoutALogarithmAreRefused) {
  EXPECT_NE(test::error_message([] {
              RelativeBuckets{3, 128, true}.validate();
            }).find("num_buckets=3"),
            std::string::npos);
  EXPECT_NE(test::error_message([] {
              RelativeBuckets{32, 16, false}.validate();
            }).find("max_distance=16"),
            std::string::npos);
  RelativeBuckets{2, 2, false}.validate();
}

TEST(RelativeBiasTest, ContinuesWhereTheCacheEnds) {
  const RelativeBuckets buckets{8, 20, false};
  const Tensor table = Tensor::uninitialized({8, 2});
  for (std::size_t i = 0; i < 16; ++i) table.values()[i] = static_cast<float>(i);
  const Tensor whole = relative_bias(buckets, table, 0, 5, 5);
  const Tensor last = relative_bias(buckets, table, 4, 1, 5);
  ASSERT_EQ(whole.shape(), (Shape{2, 9}));
  ASSERT_EQ(last.shape(), (Shape{2, 5}));
  for (std::int64_t head = 0; head < 2; ++head) {
    for (std::int64_t key = 0; key < 5; ++key) {
      EXPECT_EQ(last.matrix()(head, key), whole.matrix()(head, key));  // of the last query
      for (std::int64_t query = 0; query < 5; ++query) {
        EXPECT_EQ(whole.matrix()(head, 4 - query + key), table.matrix()(buckets.bucket(key - query), head));
      }
    }
  }
}

TEST(SinusoidalPositionsTest, PaddingHasNoPlace) {
  const std::vector<std::int32_t> ids = {7, 1, 9, 1, 4};
  const PooledVector<std::int32_t> positions = padded_positions(ids, 1, 10);
  EXPECT_EQ(std::vector<std::int32_t>(positions.begin(), positions.end()),
            (std::vector<std::int32_t>{12, 1, 13, 1, 14}));
}

TEST(SinusoidalPositionsTest, SinesThenCosines) {
  const std::vector<std::int32_t> positions = {0, 1, 3};
  const Tensor rows = sinusoidal_positions(positions, 7, 1);
  ASSERT_EQ(rows.shape(), (Shape{3, 7}));
  for (std::int64_t row = 0; row < 3; ++row) {
    for (std::int64_t k = 0; k < 3; ++k) {
      const double angle = positions[static_cast<std::size_t>(row)] * std::pow(10000.0, -static_cast<double>(k) / 2.0);
      EXPECT_NEAR(rows.matrix()(row, k), row == 1 ? 0.0 : std::sin(angle), 1e-6);
      EXPECT_NEAR(rows.matrix()(row, 3 + k), row == 1 ? 0.0 : std::cos(angle), 1e-6);
    }
    EXPECT_EQ(rows.matrix()(row, 6), 0.0F);
  }
}

TEST(BiasedAttentionTest, IsASoftmaxOfScoresAndBias) {
  const Tensor q = Tensor::from({2, 2}, std::vector<float>{1.0F, 2.0F, -1.0F, 0.5F});
  const Tensor keys = Tensor::from({3, 2}, std::vector<float>{1.0F, 0.0F, 0.5F, -1.0F, 2.0F, 1.0F});
  const Tensor values = Tensor::from({3, 2}, std::vector<float>{1.0F, 10.0F, 2.0F, 20.0F, 3.0F, 30.0F});
  const Tensor bias = Tensor::uninitialized({2, 4});
  for (std::size_t i = 0; i < 8; ++i) bias.values()[i] = 0.1F * static_cast<float>(i * i % 7);
  const BiasedAttention options{.heads = 2, .scale = 0.5F, .causal = true, .first_position = 1};
  const Tensor mixed = attend_with_bias(options, q, keys.matrix(), values.matrix(), bias);
  for (std::int64_t query = 0; query < 2; ++query) {
    for (std::int64_t head = 0; head < 2; ++head) {  // of width 1
      double sum = 0.0;
      double expected = 0.0;
      for (std::int64_t key = 0; key <= query + 1; ++key) {
        const double weight =
            std::exp(0.5 * q.matrix()(query, head) * keys.matrix()(key, head) + bias.matrix()(head, 1 - query + key));
        sum += weight;
        expected += weight * values.matrix()(key, head);
      }
      EXPECT_NEAR(mixed.matrix()(query, head), expected / sum, 1e-5);
    }
  }
}

// More scores than are held at a time: the queries are cut.
TEST(BiasedAttentionTest, TakesSomeQueriesAtATime) {
  Random random(3);
  const auto drawn = [&random](Shape shape) {
    Tensor tensor = Tensor::uninitialized(shape);
    random.fill_normal(tensor.values(), 0.0F, 1.0F);
    return tensor;
  };
  const Tensor q = drawn({7, 6});
  const Tensor keys = drawn({9, 6});
  const Tensor values = drawn({9, 6});
  const Tensor bias = drawn({2, 15});
  for (const bool causal : {false, true}) {
    BiasedAttention options{.heads = 2, .scale = 0.5F, .causal = causal, .first_position = 2};
    const Tensor whole = attend_with_bias(options, q, keys.matrix(), values.matrix(), bias);
    for (const std::int64_t most : {1, 20, 62}) {  // one query, two, six
      options.most_scores = most;
      const Tensor cut = attend_with_bias(options, q, keys.matrix(), values.matrix(), bias);
      EXPECT_TRUE(test::near(cut.values(), whole.values(), 1e-6F)) << most;
    }
  }
}

}  // namespace positions_test
}  // namespace witan
