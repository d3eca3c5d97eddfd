// Rows bid one after the other. An expert's places go to the highest bids; its price is the lowest of them once all its
// places are taken. Each round starts from the prices that the round before ended with, and a smaller epsilon.
#include "routers/auction.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "base/error.h"
#include "base/index.h"
#include "kernels/select.h"

namespace witan {
namespace {

constexpr float kScaling = 5.0F;  // epsilon of a round over that of the next: within Bertsekas's 4 to 10

struct Bid {
  float price;
  std::int32_t row;
};
bool dearer(const Bid& a, const Bid& b) { return a.price > b.price; }  // of a heap whose top is the cheapest

class Auction {
 public:
  Auction(ConstMatrix benefits, std::span<const std::int64_t> capacities)
      : benefits_(benefits), capacities_(capacities), begin_(capacities.size() + 1, 0) {
    std::partial_sum(capacities.begin(), capacities.end(), begin_.begin() + 1);
    WITAN_ASSERT(begin_.back() == benefits.rows);
    bids_.resize(index(benefits.rows));
    taken_.resize(capacities.size());
    experts_.resize(index(benefits.rows));
    waiting_.reserve(index(benefits.rows));
    prices_.resize(capacities.size());
    std::ranges::transform(capacities, prices_.begin(), [](std::int64_t capacity) {
      return capacity > 0 ? 0.0F : std::numeric_limits<float>::infinity();
    });
  }

  // False when bids ran out; `left` counts down.
  bool round(float epsilon, std::int64_t& left) {
    std::fill(taken_.begin(), taken_.end(), 0);
    waiting_.resize(experts_.size());
    std::iota(waiting_.rbegin(), waiting_.rend(), 0);  // the first row stands last, where the next bidder is taken
    for (; !waiting_.empty(); --left) {
      if (left == 0) return false;
      bid(epsilon);
    }
    return true;
  }

  // What is left goes to the best place that is free, row by row.
  std::int64_t place_greedily() {
    for (std::size_t e = 0; e < prices_.size(); ++e) {
      if (taken_[e] == capacities_[e]) prices_[e] = std::numeric_limits<float>::infinity();
    }
    const auto count = static_cast<std::int64_t>(waiting_.size());
    for (; !waiting_.empty(); waiting_.pop_back()) {
      const std::int32_t row = waiting_.back();
      const std::int32_t expert = kernels::best_two(benefits_of(row), prices_).index;
      experts_[index(row)] = expert;
      if (++taken_[index(expert)] == capacities_[index(expert)]) {
        prices_[index(expert)] = std::numeric_limits<float>::infinity();
      }
    }
    return count;
  }

  PooledVector<std::int32_t> experts() && { return std::move(experts_); }

 private:
  std::span<const float> benefits_of(std::int32_t row) const { return {benefits_.row(row), index(benefits_.cols)}; }

  void bid(float epsilon) {
    const std::int32_t row = waiting_.back();
    waiting_.pop_back();
    const kernels::BestTwo net = kernels::best_two(benefits_of(row), prices_);
    const auto expert = index(net.index);
    const float margin = std::isfinite(net.second) ? net.best - net.second : 0.0F;
    const Bid offer{prices_[expert] + margin + epsilon, row};
    experts_[index(row)] = net.index;
    Bid* const begin = bids_.data() + begin_[expert];
    if (taken_[expert] == capacities_[expert]) {
      Bid* const end = begin + taken_[expert];
      std::pop_heap(begin, end, dearer);
      waiting_.push_back((end - 1)->row);
      *(end - 1) = offer;
    } else {
      begin[taken_[expert]++] = offer;
    }
    std::push_heap(begin, begin + taken_[expert], dearer);
    if (taken_[expert] == capacities_[expert]) prices_[expert] = begin->price;
  }

  ConstMatrix benefits_;
  std::span<const std::int64_t> capacities_;
  PooledVector<std::int64_t> begin_;  // [E + 1], of each expert's places in bids_
  PooledVector<Bid> bids_;            // [T], a heap per expert
  PooledVector<std::int64_t> taken_;  // [E]
  PooledVector<float> prices_;        // [E]
  PooledVector<std::int32_t> experts_;
  PooledVector<std::int32_t> waiting_;  // a stack of rows without a place
};

// Largest difference between two benefits of one row: prices differ by little more.
float largest_spread(ConstMatrix benefits) {
  float spread = 0.0F;
  for (std::int64_t row = 0; row < benefits.rows; ++row) {
    const auto [low, high] = std::minmax_element(benefits.row(row), benefits.row(row) + benefits.cols);
    spread = std::max(spread, *high - *low);
  }
  return spread;
}

}  // namespace

AuctionResult auction(ConstMatrix benefits, std::span<const std::int64_t> capacities, const AuctionOptions& options) {
  WITAN_ASSERT(options.epsilon > 0.0F && static_cast<std::int64_t>(capacities.size()) == benefits.cols);
  AuctionResult result;
  if (benefits.rows == 0) return result;
  const std::int64_t most = options.max_bids > 0 ? options.max_bids : std::numeric_limits<std::int64_t>::max();
  std::int64_t left = most;
  Auction state(benefits, capacities);
  float epsilon = std::max(options.epsilon, largest_spread(benefits) / kScaling);
  bool complete = state.round(epsilon, left);
  while (complete && epsilon > options.epsilon) {
    epsilon = std::max(options.epsilon, epsilon / kScaling);
    complete = state.round(epsilon, left);
  }
  if (!complete) result.greedy_rows = state.place_greedily();
  result.bids = most - left;
  result.experts = std::move(state).experts();
  return result;
}

}  // namespace witan
