// The pool gives blocks out again, and spares cover what was not seen before.
#include "base/pool.h"

#include <gtest/gtest.h>

#include <cstring>
#include <thread>
#include <vector>

#include "base/pool_spares.h"

namespace witan {
namespace pool_test {

// Of a class of their own, which no other test uses: between two powers of two.
constexpr std::size_t kBytes = (std::size_t{256} << 10) + 100'000;

std::vector<void*> take(std::size_t count) {
  std::vector<void*> blocks;
  for (std::size_t i = 0; i < count; ++i) {
    blocks.push_back(pool_allocate(kBytes));
    std::memset(blocks.back(), static_cast<int>(i + 1), kBytes);
  }
  for (std::size_t i = 0; i < count; ++i) {
    EXPECT_EQ(static_cast<unsigned char*>(blocks[i])[kBytes - 1], i + 1) << "blocks overlap";
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(blocks[i]) % 64, 0U);
  }
  return blocks;
}

void give_back(const std::vector<void*>& blocks) {
  for (void* block : blocks) pool_free(block, kBytes);
}

TEST(PoolTest, WhatWasUsedOnceIsThereAgain) {
  const std::size_t in_use = pool_statistics().bytes_in_use;
  give_back(take(5));
  const PoolStatistics before = pool_statistics();
  EXPECT_EQ(before.bytes_in_use, in_use);
  give_back(take(5));
  EXPECT_EQ(pool_statistics().system_allocations, before.system_allocations);
}

TEST(PoolTest, SparesServeMoreBlocksThanEverBefore) {
  give_back(take(7));
  pool_add_spares(4);
  const PoolStatistics before = pool_statistics();
  give_back(take(11));
  EXPECT_EQ(pool_statistics().system_allocations, before.system_allocations);
  pool_add_spares(1);
  EXPECT_EQ(pool_statistics().bytes_in_use, before.bytes_in_use);
}

TEST(PoolTest, ALimitHoldsForItsThreadWhileItLives) {
  const PoolLimit outer(5 * kBytes);
  give_back(take(2));
  {
    const PoolLimit inner(2 * kBytes);
    give_back(take(2));  // what is given back counts
    EXPECT_THROW(pool_allocate(1), PoolLimitReached);
    std::thread([] { give_back(take(3)); }).join();
  }
  give_back(take(3));
  EXPECT_THROW(pool_allocate(1), PoolLimitReached);
}

}  // namespace pool_test
}  // namespace witan
