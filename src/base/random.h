// Seeded random numbers that are the same on every machine and compiler. A stream is named by (seed, stream), and its
// whole state is a position that can be saved. Not for cryptography.
#pragma once

#include <array>
#include <cstdint>
#include <span>

namespace witan {

// Counter-based (Philox 4x32-10, Salmon et al. 2011): draw i of stream s depends on nothing but (seed, s, i).
class Random {
 public:
  explicit Random(std::uint64_t seed, std::uint64_t stream = 0);

  std::uint32_t bits();
  // In [0, 1), 24 bits; never 1.
  float uniform();
  // In (0, 1), 53 bits; never 0 or 1, safe under a logarithm.
  double uniform_open();
  // Standard normal, by inversion of a uniform of 53 bits.
  float normal();
  // Uniform in [0, bound) without bias; bound > 0.
  std::uint64_t below(std::uint64_t bound);
  // The fills give the same numbers for any number of threads. position() advances by exactly the named number of words
  // per value, so that value i of a fill can also be drawn alone, from position + words i.
  // What as many calls of normal() would give; 2 words each.
  void fill_normal(std::span<float> values, float mean, float standard_deviation);
  // What as many calls of uniform() would give, from [0, 1) to [low, high); 1 word each.
  void fill_uniform(std::span<float> values, float low, float high);
  // Normal of mean 0 given that it lies within two of its standard deviations; 2 words each.
  void fill_truncated_normal(std::span<float> values, float standard_deviation);

  // How many 32-bit words were drawn; seek(position()) of an equal stream continues bit for bit.
  std::uint64_t position() const { return position_; }
  void seek(std::uint64_t position);

 private:
  template <class Draw>
  void fill(std::span<float> values, std::uint64_t words, const Draw& draw);
  template <class Probability, class Value>
  void fill_from_quantiles(std::span<float> values, const Probability& probability, const Value& value);

  std::array<std::uint32_t, 2> key_;
  std::uint64_t stream_;
  std::uint64_t position_ = 0;
  std::array<std::uint32_t, 4> block_{};
};

}  // namespace witan
