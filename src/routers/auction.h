// The assignment of rows to experts of given capacities that has nearly the largest total benefit. Knows nothing of
// gates or gradients.
#pragma once

#include <cstdint>
#include <span>

#include "base/pool.h"
#include "base/views.h"

namespace witan {

struct AuctionOptions {
  float epsilon = 0.0F;       // least rise of a price in the last round, above 0
  std::int64_t max_bids = 0;  // then the rest is placed greedily; 0: no limit
};

struct AuctionResult {
  PooledVector<std::int32_t> experts;  // [T]
  std::int64_t bids = 0;
  std::int64_t greedy_rows = 0;  // that were placed after max_bids
};

// benefits [T, E], finite, with capacities [E] that sum to T: each row gets one expert. Without greedy rows the total
// benefit is within T epsilon of the largest (and f32 rounding of the prices): Bertsekas and Castanon 1989, the auction
// for transportation problems, with epsilon scaling. One thread.
AuctionResult auction(ConstMatrix benefits, std::span<const std::int64_t> capacities, const AuctionOptions& options);

}  // namespace witan
