// Batches from a shuffled order of windows that is computed, not stored.
#include <bit>

#include "base/error.h"
#include "base/random.h"
#include "training/dataset.h"

namespace witan {
namespace {

// Position -> position, a bijection of [0, count) drawn from (seed, epoch): a Feistel network of four rounds over the
// next even number of bits, walked until it lands inside (Black & Rogaway 2002).
std::uint64_t shuffled(std::uint64_t position, std::uint64_t count, std::uint64_t seed, std::uint64_t epoch) {
  const int half = (std::bit_width(count) + 1) / 2;
  const std::uint64_t mask = (std::uint64_t{1} << half) - 1;
  do {
    std::uint64_t left = position >> half;
    std::uint64_t right = position & mask;
    for (std::uint64_t round = 0; round < 4; ++round) {
      Random random(seed, (epoch << 2) + round);
      random.seek(right * 4);
      const std::uint64_t next = left ^ (random.bits() & mask);
      left = right;
      right = next;
    }
    position = (left << half) | right;
  } while (position >= count);
  return position;
}

}  // namespace

BatchSampler::BatchSampler(const TokenStream& stream, std::int64_t batch, std::int64_t sequence, std::uint64_t seed)
    : stream_(stream), batch_(batch), sequence_(sequence), seed_(seed) {
  WITAN_ASSERT(batch > 0 && sequence > 0);
  const auto tokens = static_cast<std::int64_t>(stream.tokens().size());
  if (tokens < sequence + 1) {
    fail(
        "data.sequence_length: the text has {} tokens, shorter than one sequence of sequence_length={} and the token "
        "after it",
        tokens, sequence);
  }
}

std::int64_t BatchSampler::batches_per_epoch() const {
  const std::int64_t windows = (static_cast<std::int64_t>(stream_.tokens().size()) - 1) / sequence_;
  return (windows + batch_ - 1) / batch_;
}

void BatchSampler::fill(std::int64_t index, Batch& out) const {
  const auto length = static_cast<std::size_t>(sequence_);
  const std::uint64_t windows = (stream_.tokens().size() - 1) / length;
  const auto rows = static_cast<std::size_t>(batch_) * length;
  out.inputs.resize(rows);
  out.targets.resize(rows);
  out.domains.resize(rows);
  for (std::size_t b = 0; b < static_cast<std::size_t>(batch_); ++b) {
    const std::uint64_t served = static_cast<std::uint64_t>(index) * static_cast<std::uint64_t>(batch_) + b;
    const std::size_t begin = shuffled(served % windows, windows, seed_, served / windows) * length;
    const auto tokens = stream_.tokens().subspan(begin, length + 1);
    const auto domains = stream_.domains().subspan(begin + 1, length);
    const auto at = static_cast<std::ptrdiff_t>(b * length);
    std::copy(tokens.begin(), tokens.end() - 1, out.inputs.begin() + at);
    std::copy(tokens.begin() + 1, tokens.end(), out.targets.begin() + at);
    std::copy(domains.begin(), domains.end(), out.domains.begin() + at);
  }
}

}  // namespace witan
