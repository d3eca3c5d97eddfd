// The dense mixture is top-k with every expert; Soft MoE is its formula.
#include <gtest/gtest.h>

#include <cmath>
#include <map>

#include "experts/feed_forward.h"
#include "layers/moe_layer.h"
#include "support/compare.h"
#include "support/error_message.h"
#include "support/gradient_check.h"

namespace witan {
namespace soft_and_dense_test {

constexpr std::int64_t kWidth = 4;

MoeOptions options(const std::string& router, std::int64_t num_experts, std::int64_t k) {
  MoeOptions all;
  all.router = router;
  all.num_experts = num_experts;
  all.num_experts_per_tok = k;
  all.moe_intermediate_size = 3;
  all.initializer_range = 0.5;
  all.router_init_scale = 4.0;
  return all;
}

Tensor forward(const MoeOptions& moe, const Tensor& rows, const RouterContext& context = {}) {
  Random random(2);
  Tape off;
  return MoeLayer(kWidth, moe, random).forward(off, rows, context).rows;
}

TEST(DenseRouterTest, IsTopKWithEveryExpertRenormalized) {
  const Tensor rows = test::random_tensor({9, kWidth}, 1);
  const Tensor dense = forward(options("dense", 5, 5), rows);
  MoeOptions top_k = options("top_k", 5, 5);
  EXPECT_TRUE(test::near(dense.values(), forward(top_k, rows).values(), 1e-5F));
  top_k.weighting = "softmax_then_topk";  // over all experts the same, by the same arithmetic
  EXPECT_TRUE(test::identical(dense.values(), forward(top_k, rows).values()));
  const std::string message = test::error_message([&] { forward(options("dense", 5, 2), rows); });
  EXPECT_NE(message.find("num_experts_per_tok=2, expected num_experts=5"), std::string::npos) << message;
}

double cosine(const float* a, const float* b) {
  double dot = 0.0;
  double aa = 0.0;
  double bb = 0.0;
  for (std::int64_t d = 0; d < kWidth; ++d) {
    dot += static_cast<double>(a[d]) * static_cast<double>(b[d]);
    aa += static_cast<double>(a[d]) * static_cast<double>(a[d]);
    bb += static_cast<double>(b[d]) * static_cast<double>(b[d]);
  }
  return dot / std::sqrt(aa * bb);
}

// Algorithm 1 of the paper for two sequences of three rows, two experts of two slots each.
TEST(SoftMoeRouterTest, IsAlgorithmOne) {
  constexpr std::int64_t kLength = 3;
  constexpr std::int64_t kSlots = 4;
  MoeOptions moe = options("soft_moe", 2, 1);
  moe.fields().find("slots_per_expert").set("2");
  Random random(2);
  MoeLayer layer(kWidth, moe, random);
  std::map<std::string, Tensor> weights;
  for (const Parameter& parameter : layer.parameters()) weights[parameter.name] = parameter.value;
  weights.at("router.scale").values()[0] = 2.5F;
  const Tensor rows = test::random_tensor({2 * kLength, kWidth}, 1);
  Tape off;
  const MoeOutput output = layer.forward(off, rows, {.rows_per_sequence = kLength});
  output.routing.assignment->validate();
  EXPECT_EQ(output.metrics.max_over_mean_load, 1.0);

  for (std::int64_t begin = 0; begin < 2 * kLength; begin += kLength) {
    double logits[kLength][kSlots];
    for (std::int64_t t = 0; t < kLength; ++t) {
      for (std::int64_t s = 0; s < kSlots; ++s) {
        logits[t][s] = 2.5 * cosine(rows.matrix().row(begin + t), weights.at("router.slots").matrix().row(s));
      }
    }
    Tensor outputs = Tensor::uninitialized({kSlots, kWidth});
    for (std::int64_t s = 0; s < kSlots; ++s) {
      double total = 0.0;
      for (const auto& row : logits) total += std::exp(row[s]);
      Tensor slot = Tensor::zeros({1, kWidth});
      for (std::int64_t t = 0; t < kLength; ++t) {
        for (std::int64_t d = 0; d < kWidth; ++d) {
          slot.data()[d] += static_cast<float>(std::exp(logits[t][s]) / total) * rows.matrix()(begin + t, d);
        }
      }
      Random unused(1);
      const FeedForwardExperts expert({.num_experts = 1, .hidden_size = kWidth, .intermediate_size = 3}, unused);
      for (const Parameter& to : expert.parameters()) {
        const Tensor& from = weights.at("experts." + to.name);
        std::copy_n(from.data() + s / 2 * to.value.numel(), to.value.numel(), to.value.data());
      }
      std::copy_n(expert.forward_dense(off, slot).data(), kWidth, outputs.matrix().row(s));
    }
    for (std::int64_t t = 0; t < kLength; ++t) {
      double total = 0.0;
      for (const double logit : logits[t]) total += std::exp(logit);
      for (std::int64_t d = 0; d < kWidth; ++d) {
        double expected = 0.0;
        for (std::int64_t s = 0; s < kSlots; ++s) {
          expected += std::exp(logits[t][s]) / total * static_cast<double>(outputs.matrix()(s, d));
        }
        EXPECT_NEAR(static_cast<double>(output.rows.matrix()(begin + t, d)), expected, 1e-5);
      }
    }
  }
}

TEST(SoftMoeRouterTest, PartsOfASequenceAreRefused) {
  const std::string message = test::error_message([] {
    forward(options("soft_moe", 2, 1), Tensor::full({5, kWidth}, 1.0F), {.rows_per_sequence = 2});
  });
  EXPECT_NE(message.find("5 rows are not whole sequences of 2"), std::string::npos) << message;
}

}  // namespace soft_and_dense_test
}  // namespace witan
