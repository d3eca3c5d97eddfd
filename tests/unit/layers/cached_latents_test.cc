// Both ways of attending to cached latents against plain loops in double, over keys and values that each head makes.
#include "layers/cached_latents.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "support/compare.h"
#include "support/gradient_check.h"

namespace witan {
namespace cached_latents_test {

std::vector<float> reference(const LatentHeads& heads, const Tensor& queries, const Tensor& entries,
                             const Tensor& projection) {
  std::vector<float> result;
  const std::int64_t past = entries.rows() - queries.rows();
  const auto made = [&](std::int64_t position, std::int64_t row) {
    double sum = 0.0;
    for (std::int64_t c = 0; c < heads.latent; ++c) {
      sum += static_cast<double>(projection.matrix()(row, c)) * static_cast<double>(entries.matrix()(position, c));
    }
    return sum;
  };
  for (std::int64_t i = 0; i < queries.rows(); ++i) {
    for (std::int64_t h = 0; h < heads.heads; ++h) {
      const float* query = queries.matrix().row(i) + h * heads.width;
      const std::int64_t first_row = h * (heads.plain + heads.values);
      const std::int64_t first = heads.window > 0 ? std::max<std::int64_t>(0, past + i + 1 - heads.window) : 0;
      std::vector<double> weights;
      double sum = 0.0;
      for (std::int64_t j = first; j <= past + i; ++j) {
        double score = 0.0;
        for (std::int64_t c = 0; c < heads.rotary; ++c) {
          score += static_cast<double>(query[c]) * static_cast<double>(entries.matrix()(j, heads.latent + c));
        }
        for (std::int64_t c = 0; c < heads.plain; ++c) {
          score += static_cast<double>(query[heads.rotary + c]) * made(j, first_row + c);
        }
        weights.push_back(std::exp(score * static_cast<double>(heads.scale)));
        sum += weights.back();
      }
      for (std::int64_t c = 0; c < heads.values; ++c) {
        double value = 0.0;
        for (std::size_t j = 0; j < weights.size(); ++j) {
          value += weights[j] / sum * made(first + static_cast<std::int64_t>(j), first_row + heads.plain + c);
        }
        result.push_back(static_cast<float>(value));
      }
    }
  }
  return result;
}

// The sizes and a query's zeros beyond its elements.
struct Case {
  LatentHeads heads;
  std::int64_t queries;
  std::int64_t total;

  Tensor drawn_queries() const {
    const Tensor all = test::random_tensor({queries, heads.heads * heads.width}, 1);
    for (std::int64_t row = 0; row < queries; ++row) {
      for (std::int64_t h = 0; h < heads.heads; ++h) {
        float* query = all.matrix().row(row) + h * heads.width;
        std::fill(query + heads.rotary + heads.plain, query + heads.width, 0.0F);
      }
    }
    return all;
  }
};

std::vector<Case> cases() {
  const LatentHeads usual{.heads = 3, .rotary = 4, .plain = 3, .values = 5, .latent = 6, .width = 8, .scale = 0.4F};
  LatentHeads windowed = usual;
  windowed.window = 4;
  const LatentHeads wide_values{
      .heads = 2, .rotary = 2, .plain = 2, .values = 9, .latent = 7, .width = 10, .scale = 0.5F};
  const LatentHeads all_turned{
      .heads = 2, .rotary = 4, .plain = 0, .values = 3, .latent = 5, .width = 4, .scale = 0.5F};
  return {{usual, 1, 1},    {usual, 1, 30},   {usual, 9, 9},        {usual, 70, 200},   {windowed, 1, 30},
          {windowed, 6, 9}, {windowed, 3, 3}, {wide_values, 5, 33}, {all_turned, 4, 11}};
}

TEST(CachedLatentsTest, BothWaysAreTheReference) {
  for (const Case& one : cases()) {
    const Tensor queries = one.drawn_queries();
    const Tensor entries = test::random_tensor({one.total, one.heads.latent + one.heads.rotary}, 2);
    const Tensor projection =
        test::random_tensor({one.heads.heads * (one.heads.plain + one.heads.values), one.heads.latent}, 3);
    const std::vector<float> expected = reference(one.heads, queries, entries, projection);
    for (const auto attend : {attend_absorbed, attend_expanded, attend_to_latents}) {
      const Tensor actual = attend(one.heads, queries, entries.matrix(), projection);
      EXPECT_TRUE(test::near(actual.values(), expected, 2e-5F))
          << one.queries << " of " << one.total << ", window " << one.heads.window;
    }
  }
}

TEST(CachedLatentsTest, WeightsInHalfTheBitsAreTheirOwnValues) {
  for (const Case& one : cases()) {
    const Tensor queries = one.drawn_queries();
    const Tensor entries = test::random_tensor({one.total, one.heads.latent + one.heads.rotary}, 2);
    const Shape shape = {one.heads.heads * (one.heads.plain + one.heads.values), one.heads.latent};
    for (const Precision precision : {Precision::kBF16, Precision::kF16}) {
      const Tensor half = Tensor::zeros(shape, precision);
      const Tensor wide = test::random_tensor(shape, 3);
      const auto round = [&](auto held, const auto& rounded) {
        for (std::size_t i = 0; i < held.size(); ++i) {
          held[i] = rounded(wide.values()[i]);
          wide.values()[i] = to_float(held[i]);
        }
      };
      precision == Precision::kBF16 ? round(half.bf16_values(), to_bfloat16) : round(half.f16_values(), to_float16);
      const std::vector<float> expected = reference(one.heads, queries, entries, wide);
      for (const auto attend : {attend_absorbed, attend_expanded}) {
        EXPECT_TRUE(test::near(attend(one.heads, queries, entries.matrix(), half).values(), expected, 2e-5F))
            << one.queries << " of " << one.total << " as " << precision_name(precision);
      }
    }
  }
}

}  // namespace cached_latents_test
}  // namespace witan
