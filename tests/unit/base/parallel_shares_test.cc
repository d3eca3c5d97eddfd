// Shares of tasks: each task once, whatever the threads and the costs.
#include <gtest/gtest.h>

#include <atomic>
#include <vector>

#include "base/error.h"
#include "base/parallel.h"

namespace witan {
namespace parallel_shares_test {

TEST(ParallelSharesTest, EveryTaskIsDoneOnce) {
  const int before = num_threads();
  const std::vector<std::int64_t> costs[] = {
      {0}, {0, 5}, {0, 1, 2, 3, 4, 5, 6, 7}, {0, 1000, 1001, 1002}, {0, 0, 0, 9}};
  for (const int threads : {1, 2, 5}) {
    set_num_threads(threads);
    for (const std::vector<std::int64_t>& cost_before : costs) {
      std::vector<std::atomic<int>> done(cost_before.size() - 1);
      parallel_shares(cost_before, 1, [&](const std::function<std::int64_t()>& next) {
        for (std::int64_t task = next(); task >= 0; task = next()) ++done[static_cast<std::size_t>(task)];
      });
      for (const std::atomic<int>& count : done) EXPECT_EQ(count, 1) << threads << " threads";
    }
  }
  set_num_threads(before);
}

TEST(ParallelSharesTest, SmallWorkStaysOnTheCallingThread) {
  const std::vector<std::int64_t> cost_before = {0, 1, 2, 3};
  int calls = 0;
  parallel_shares(cost_before, 100, [&](const std::function<std::int64_t()>& next) {
    ++calls;
    while (next() >= 0) continue;
  });
  EXPECT_EQ(calls, 1);
}

TEST(ParallelSharesTest, ExceptionsReachTheCaller) {
  const std::vector<std::int64_t> cost_before = {0, 1, 2, 3};
  EXPECT_THROW(parallel_shares(cost_before, 1, [](const auto&) { fail("test: {}", 1); }), Error);
}

}  // namespace parallel_shares_test
}  // namespace witan
