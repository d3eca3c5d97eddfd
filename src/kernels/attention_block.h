// Sizes of the blocks that attention works in, and its scratch memory. Internal to the attention kernels.
#pragma once

#include <algorithm>
#include <cstdint>

#include "base/error.h"
#include "base/parallel.h"
#include "base/pool.h"
#include "kernels/attention.h"

namespace witan::kernels {

// A block of scores, its factors and its result stay in the first two caches for head_dim up to 128.
inline constexpr std::int64_t kQueryBlock = 64;
inline constexpr std::int64_t kKeyBlock = 64;
// Packed rows are padded to a multiple of the widest vector.
inline constexpr std::int64_t kPadding = 16;
// Scores are kept in units of ln 2, for exp2.
inline constexpr float kLog2E = 1.44269504088896340736F;
inline constexpr float kLn2 = 0.69314718055994530942F;
// Multiply-adds that are worth a thread.
inline constexpr std::int64_t kGrainProducts = 1 << 18;

inline std::int64_t padded_width(std::int64_t head_dim) { return (head_dim + kPadding - 1) / kPadding * kPadding; }
inline std::int64_t blocks_of(std::int64_t count, std::int64_t block) { return (count + block - 1) / block; }

// One uninitialized piece of pool memory, handed out in parts that start at cache lines.
class Scratch {
 public:
  explicit Scratch(std::int64_t floats) : bytes_(static_cast<std::size_t>(floats) * sizeof(float)) {
    memory_ = static_cast<float*>(pool_allocate(bytes_));
  }
  ~Scratch() { pool_free(memory_, bytes_); }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;

  // The parts must be multiples of kPadding, and no more than was asked for.
  float* take(std::int64_t floats) {
    float* part = memory_ + taken_;
    taken_ += floats;
    WITAN_ASSERT(floats % kPadding == 0 && static_cast<std::size_t>(taken_) * sizeof(float) <= bytes_);
    return part;
  }

 private:
  std::size_t bytes_;
  float* memory_;
  std::int64_t taken_ = 0;
};

void check_attention(const AttentionSizes& sizes, ConstMatrix q, ConstMatrix k, ConstMatrix v);

// attention() for few queries, as in decoding: nothing is packed, scores are dot products. No statistics.
void attention_direct(const AttentionSizes& sizes, ConstMatrix q, ConstMatrix k, ConstMatrix v, Matrix out);

// Deals tasks 0 .. tasks - 1, heaviest first, to the threads in turn; the same cut for the same number of threads.
// body(slot, slots) does tasks slot, slot + slots, ...
template <class Body>
void deal(std::int64_t tasks, std::int64_t products, const Body& body) {
  if (tasks == 0) return;
  const std::int64_t slots =
      std::clamp<std::int64_t>(products / kGrainProducts, 1, std::min<std::int64_t>(tasks, num_threads()));
  parallel_for(slots, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t slot = begin; slot < end; ++slot) body(slot, slots);
  });
}

}  // namespace witan::kernels
