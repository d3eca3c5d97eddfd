// Batches: consecutive tokens, every token once per epoch, and nothing but (seed, index) decides.
#include <gtest/gtest.h>

#include <numeric>
#include <set>

#include "support/error_message.h"
#include "training/dataset.h"

namespace witan {
namespace batch_sampler_test {

// Token i is i, its domain i / 10.
class CountingStream : public TokenStream {
 public:
  explicit CountingStream(std::int32_t length) : tokens_(static_cast<std::size_t>(length)) {
    std::iota(tokens_.begin(), tokens_.end(), 0);
    for (const std::int32_t token : tokens_) domains_.push_back(static_cast<std::uint16_t>(token / 10));
  }
  std::span<const std::int32_t> tokens() const override { return tokens_; }
  std::span<const std::uint16_t> domains() const override { return domains_; }
  std::int64_t bytes() const override { return 0; }
  std::span<const std::int64_t> domain_bytes() const override { return {}; }

 private:
  std::vector<std::int32_t> tokens_;
  std::vector<std::uint16_t> domains_;
};

TEST(BatchSamplerTest, TargetsAreTheNextTokens) {
  const CountingStream stream(103);
  const BatchSampler sampler(stream, 3, 8, 5);
  Batch batch;
  for (std::int64_t i = 0; i < 40; ++i) {
    sampler.fill(i, batch);
    ASSERT_EQ(batch.inputs.size(), 24U);
    for (std::size_t t = 0; t < 24; ++t) {
      EXPECT_EQ(batch.targets[t], (batch.inputs[t] + 1) % 103);
      EXPECT_EQ(batch.domains[t], batch.targets[t] / 10);
      if (t % 8 != 0) {
        EXPECT_EQ(batch.inputs[t], batch.targets[t - 1]);
      }
    }
  }
}

TEST(BatchSamplerTest, AnEpochMeetsEveryTokenOnce) {
  for (const std::int32_t length : {9, 16, 17, 100, 1000, 1023, 1024, 1025}) {
    const CountingStream stream(length);
    const BatchSampler sampler(stream, 1, 8, 3);
    EXPECT_EQ(sampler.batches_per_epoch(), length / 8);
    Batch batch;
    for (std::int64_t epoch = 0; epoch < 3; ++epoch) {
      std::set<std::int32_t> targets;
      for (std::int64_t i = 0; i < sampler.batches_per_epoch(); ++i) {
        sampler.fill(epoch * sampler.batches_per_epoch() + i, batch);
        targets.insert(batch.targets.begin(), batch.targets.end());
      }
      EXPECT_EQ(targets.size(), static_cast<std::size_t>(length / 8 * 8)) << length;
    }
  }
}

TEST(BatchSamplerTest, OnlySeedAndIndexDecide) {
  const CountingStream stream(5000);
  const BatchSampler one(stream, 4, 16, 9);
  const BatchSampler same(stream, 4, 16, 9);
  const BatchSampler other(stream, 4, 16, 10);
  Batch a;
  Batch b;
  int differences = 0;
  for (const std::int64_t index : {700, 3, 12, 0, 77}) {
    one.fill(index, a);
    same.fill(index, b);
    EXPECT_EQ(a.inputs, b.inputs);
    other.fill(index, b);
    differences += a.inputs != b.inputs ? 1 : 0;
  }
  EXPECT_EQ(differences, 5);
}

TEST(BatchSamplerTest, EpochsAreShuffledAnewAndCutElsewhere) {
  const CountingStream stream(4096);
  const BatchSampler sampler(stream, 1, 16, 1);
  Batch batch;
  std::set<std::int32_t> offsets;
  for (std::int64_t epoch = 0; epoch < 10; ++epoch) {
    std::vector<std::int32_t> starts;
    for (std::int64_t i = 0; i < 256; ++i) {
      sampler.fill(epoch * 256 + i, batch);
      starts.push_back(batch.inputs[0]);
    }
    offsets.insert(starts[0] % 16);
    int neighbours = 0;
    for (std::size_t i = 1; i < starts.size(); ++i) neighbours += starts[i] == (starts[i - 1] + 16) % 4096 ? 1 : 0;
    EXPECT_LT(neighbours, 8);  // 1 is expected
  }
  EXPECT_GT(offsets.size(), 4U);
}

TEST(BatchSamplerTest, FillsWithoutAllocatingAgain) {
  const CountingStream stream(500);
  const BatchSampler sampler(stream, 2, 16, 1);
  Batch batch;
  sampler.fill(0, batch);
  const std::int32_t* const before = batch.inputs.data();
  for (std::int64_t i = 1; i < 100; ++i) sampler.fill(i, batch);
  EXPECT_EQ(batch.inputs.data(), before);
}

TEST(BatchSamplerTest, OneWindowIsEnoughAndLessIsAnError) {
  const CountingStream stream(9);
  Batch batch;
  BatchSampler(stream, 5, 8, 1).fill(0, batch);
  EXPECT_EQ(batch.inputs.size(), 40U);
  EXPECT_EQ(test::error_message([&] { BatchSampler(stream, 1, 9, 1); }),
            "data.sequence_length: the text has 9 tokens, shorter than one sequence of sequence_length=9 and the token "
            "after it");
}

}  // namespace batch_sampler_test
}  // namespace witan
