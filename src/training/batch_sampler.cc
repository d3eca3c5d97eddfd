// Batches from a shuffled order of windows that is computed, not stored.
#include <algorithm>
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

// Where an epoch begins to cut: text at the edge of a window in one is inside a window in another.
std::size_t first_token(std::size_t tokens, std::uint64_t seed, std::uint64_t epoch) {
  constexpr std::uint64_t kOwnStreams = std::uint64_t{1} << 63;  // apart from those of the rounds above
  return static_cast<std::size_t>(Random(seed, kOwnStreams | epoch).below(tokens));
}

template <class T>
void copy_from_circle(std::span<const T> circle, std::size_t begin, std::span<T> out) {
  begin %= circle.size();
  const std::size_t straight = std::min(out.size(), circle.size() - begin);
  std::copy_n(circle.begin() + static_cast<std::ptrdiff_t>(begin), straight, out.begin());
  std::copy_n(circle.begin(), out.size() - straight, out.begin() + static_cast<std::ptrdiff_t>(straight));
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
  return (static_cast<std::int64_t>(windows()) + batch_ - 1) / batch_;
}

void BatchSampler::fill(std::int64_t index, Batch& out) const {
  const auto length = static_cast<std::size_t>(sequence_);
  const auto rows = static_cast<std::size_t>(batch_) * length;
  out.inputs.resize(rows);
  out.targets.resize(rows);
  out.domains.resize(rows);
  const std::size_t tokens = stream_.tokens().size();
  for (std::size_t b = 0; b < static_cast<std::size_t>(batch_); ++b) {
    const std::uint64_t served = static_cast<std::uint64_t>(index) * static_cast<std::uint64_t>(batch_) + b;
    const std::uint64_t epoch = served / windows();
    const std::uint64_t window = shuffled(served % windows(), windows(), seed_, epoch);
    const std::size_t begin = (first_token(tokens, seed_, epoch) + window * length) % tokens;
    const std::size_t at = b * length;
    copy_from_circle(stream_.tokens(), begin, std::span(out.inputs).subspan(at, length));
    copy_from_circle(stream_.tokens(), begin + 1, std::span(out.targets).subspan(at, length));
    copy_from_circle(stream_.domains(), begin + 1, std::span(out.domains).subspan(at, length));
  }
}

}  // namespace witan
