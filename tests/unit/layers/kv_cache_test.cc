// KvCache: what was stored comes back across growth, and the limit holds.
#include "layers/kv_cache.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "support/compare.h"
#include "support/gradient_check.h"

namespace witan {
namespace kv_cache_test {

std::vector<std::int32_t> tokens(std::int64_t count) {
  return std::vector<std::int32_t>(static_cast<std::size_t>(count), 7);
}

TEST(KvCacheTest, KeepsEveryPositionWhileItGrows) {
  constexpr std::int64_t kWidth = 3;
  const Tensor keys = test::random_tensor({700, kWidth}, 1);
  const Tensor values = test::random_tensor({700, kWidth}, 2);
  KvCache cache(2, kWidth, 700);
  const auto piece = [](const Tensor& all, std::int64_t begin, std::int64_t count) {
    return Tensor::from({count, kWidth}, all.values().subspan(static_cast<std::size_t>(begin * kWidth),
                                                              static_cast<std::size_t>(count * kWidth)));
  };
  std::int64_t done = 0;
  for (const std::int64_t count : {1, 255, 1, 0, 300, 143}) {
    for (std::int64_t layer = 0; layer < 2; ++layer)
      cache.store(layer, piece(keys, done, count), piece(values, done, count));
    cache.advance(tokens(count));
    done += count;
    EXPECT_EQ(cache.length(), done);
  }
  EXPECT_EQ(done, 700);
  for (std::int64_t layer = 0; layer < 2; ++layer) {
    const ConstMatrix stored = cache.keys(layer, 700);
    EXPECT_TRUE(test::identical({stored.data, static_cast<std::size_t>(stored.size())}, keys.values()));
    const ConstMatrix stored_values = cache.values(layer, 700);
    EXPECT_TRUE(test::identical({stored_values.data, static_cast<std::size_t>(stored_values.size())}, values.values()));
  }
}

TEST(KvCacheTest, LatentsStandInTheKeysAndHaveNoValues) {
  constexpr std::int64_t kWidth = 5;
  const Tensor latents = test::random_tensor({300, kWidth}, 1);
  KvCache cache = KvCache::of_latents(1, kWidth, 300);
  EXPECT_EQ(cache.key_width(), kWidth);
  EXPECT_EQ(cache.value_width(), 0);
  for (std::int64_t done = 0; done < 300; done += 150) {
    cache.store(
        0, Tensor::from({150, kWidth}, latents.values().subspan(static_cast<std::size_t>(done * kWidth), 150 * kWidth)),
        {});
    cache.advance(tokens(150));
  }
  KvCache clone = cache.clone();
  for (const KvCache* one : {&cache, &clone}) {
    const ConstMatrix stored = one->keys(0, 300);
    EXPECT_TRUE(test::identical({stored.data, static_cast<std::size_t>(stored.size())}, latents.values()));
  }
}

TEST(KvCacheTest, RefusesMoreThanTheContext) {
  KvCache cache(1, 2, 4);
  cache.store(0, Tensor::zeros({3, 2}), Tensor::zeros({3, 2}));
  cache.advance(tokens(3));
  EXPECT_NO_THROW(cache.require_room(1));
  EXPECT_THROW(cache.require_room(2), Error);
  EXPECT_THROW(cache.store(0, Tensor::zeros({2, 2}), Tensor::zeros({2, 2})), Error);
  EXPECT_EQ(cache.length(), 3);
}

TEST(KvCacheTest, StoredRowsCountOnlyWhenAdvanced) {
  KvCache cache(1, 1, 8);
  cache.store(0, Tensor::full({1, 1}, 5.0F), Tensor::full({1, 1}, 5.0F));  // a pass that fails later
  EXPECT_EQ(cache.length(), 0);
  cache.store(0, Tensor::full({1, 1}, 7.0F), Tensor::full({1, 1}, 8.0F));
  cache.advance(tokens(1));
  EXPECT_EQ(cache.keys(0, 1)(0, 0), 7.0F);
  EXPECT_EQ(cache.values(0, 1)(0, 0), 8.0F);
  EXPECT_EQ(cache.last_token(), 7);
}

TEST(KvCacheTest, AClonesMemoryIsItsOwn) {
  KvCache cache(2, 1, 8);
  cache.store(0, Tensor::full({2, 1}, 1.0F), Tensor::full({2, 1}, 2.0F));  // layer 1 stays empty
  cache.advance(tokens(2));
  KvCache clone = cache.clone();
  EXPECT_EQ(clone.length(), 2);
  cache.store(0, Tensor::full({1, 1}, 5.0F), Tensor::full({1, 1}, 6.0F));
  cache.advance(tokens(1));
  clone.store(0, Tensor::full({1, 1}, 9.0F), Tensor::full({1, 1}, 9.0F));
  clone.advance(tokens(1));
  EXPECT_EQ(cache.keys(0, 3)(2, 0), 5.0F);
  EXPECT_EQ(cache.values(0, 3)(2, 0), 6.0F);
  EXPECT_EQ(clone.keys(0, 3)(1, 0), 1.0F);
  EXPECT_EQ(clone.keys(0, 3)(2, 0), 9.0F);
}

}  // namespace kv_cache_test
}  // namespace witan
