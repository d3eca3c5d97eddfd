// Philox 4x32-10.
#include "base/random.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "base/error.h"
#include "base/normal_quantile.h"
#include "base/parallel.h"

namespace witan {
namespace {

std::array<std::uint32_t, 4> philox(std::array<std::uint32_t, 4> counter, std::array<std::uint32_t, 2> key) {
  constexpr std::uint32_t kMultiply0 = 0xD2511F53;
  constexpr std::uint32_t kMultiply1 = 0xCD9E8D57;
  constexpr std::uint32_t kWeyl0 = 0x9E3779B9;
  constexpr std::uint32_t kWeyl1 = 0xBB67AE85;
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t product0 = std::uint64_t{kMultiply0} * counter[0];
    const std::uint64_t product1 = std::uint64_t{kMultiply1} * counter[2];
    counter = {static_cast<std::uint32_t>(product1 >> 32) ^ counter[1] ^ key[0], static_cast<std::uint32_t>(product1),
               static_cast<std::uint32_t>(product0 >> 32) ^ counter[3] ^ key[1], static_cast<std::uint32_t>(product0)};
    key[0] += kWeyl0;
    key[1] += kWeyl1;
  }
  return counter;
}

constexpr std::int64_t kGrain = 4096;  // values that pay for another thread

// The share of a standard normal that lies below -2, and within two deviations.
const double kBelowMinusTwo = 0.5 * std::erfc(std::numbers::sqrt2);
const double kWithinTwo = std::erf(std::numbers::sqrt2);

}  // namespace

Random::Random(std::uint64_t seed, std::uint64_t stream)
    : key_{static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32)}, stream_(stream) {}

void Random::seek(std::uint64_t position) {
  position_ = position - position % 4;
  while (position_ < position) bits();
}

std::uint32_t Random::bits() {
  const auto lane = static_cast<std::size_t>(position_ % 4);
  if (lane == 0) {
    const std::uint64_t index = position_ / 4;
    block_ = philox({static_cast<std::uint32_t>(index), static_cast<std::uint32_t>(index >> 32),
                     static_cast<std::uint32_t>(stream_), static_cast<std::uint32_t>(stream_ >> 32)},
                    key_);
  }
  ++position_;
  return block_[lane];
}

float Random::uniform() { return static_cast<float>(bits() >> 8) * 0x1p-24F; }

double Random::uniform_open() {
  const std::uint64_t high = bits();
  const std::uint64_t word = (high << 32) | bits();
  return (static_cast<double>(word >> 11) + 0.5) * 0x1p-53;
}

float Random::normal() { return static_cast<float>(normal_quantile(uniform_open())); }

std::uint64_t Random::below(std::uint64_t bound) {
  WITAN_ASSERT(bound > 0);
  const std::uint64_t rejected = (0 - bound) % bound;  // the low values that would favour small results
  for (;;) {
    const std::uint64_t high = bits();
    const std::uint64_t word = (high << 32) | bits();
    if (word >= rejected) return word % bound;
  }
}

// Pieces start where their first value stands in the stream, whoever draws them.
template <class Draw>
void Random::fill(std::span<float> values, std::uint64_t words, const Draw& draw) {
  const std::uint64_t start = position_;
  parallel_for(static_cast<std::int64_t>(values.size()), kGrain, [&](std::int64_t begin, std::int64_t end) {
    Random piece = *this;
    piece.seek(start + words * static_cast<std::uint64_t>(begin));
    draw(piece, values.subspan(static_cast<std::size_t>(begin), static_cast<std::size_t>(end - begin)));
  });
  seek(start + words * values.size());
}

// Values from quantiles, each of a probability drawn by `probability` from two words.
template <class Probability, class Value>
void Random::fill_from_quantiles(std::span<float> values, const Probability& probability, const Value& value) {
  fill(values, 2, [&](Random& random, std::span<float> piece) {
    std::array<double, 256> quantiles;
    while (!piece.empty()) {
      const std::span<double> now = std::span(quantiles).first(std::min(quantiles.size(), piece.size()));
      for (double& p : now) p = probability(random.uniform_open());
      normal_quantiles(now);
      std::transform(now.begin(), now.end(), piece.begin(), value);
      piece = piece.subspan(now.size());
    }
  });
}

void Random::fill_normal(std::span<float> values, float mean, float standard_deviation) {
  fill_from_quantiles(
      values, [](double uniform) { return uniform; },
      [=](double x) { return mean + standard_deviation * static_cast<float>(x); });
}

void Random::fill_uniform(std::span<float> values, float low, float high) {
  fill(values, 1, [=](Random& random, std::span<float> piece) {
    for (float& value : piece) value = low + (high - low) * random.uniform();
  });
}

// By inversion and not by drawing again, which takes a number of words that nobody knows beforehand.
void Random::fill_truncated_normal(std::span<float> values, float standard_deviation) {
  fill_from_quantiles(
      values, [](double uniform) { return kBelowMinusTwo + kWithinTwo * uniform; },
      [=](double x) { return standard_deviation * static_cast<float>(std::clamp(x, -2.0, 2.0)); });
}

}  // namespace witan
