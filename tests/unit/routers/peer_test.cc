// PEER: the layer is the sum over a search of all experts, its options are checked, and 2^16 neurons train.
#include <gtest/gtest.h>

#include <cmath>
#include <map>

#include "kernels/activation.h"
#include "kernels/select.h"
#include "layers/moe_layer.h"
#include "support/compare.h"
#include "support/error_message.h"
#include "support/gradient_check.h"
#include "training/optimizer.h"

namespace witan {
namespace peer_test {

constexpr std::int64_t kWidth = 4;

MoeOptions options(std::int64_t num_experts, std::int64_t per_row, std::int64_t heads, const std::string& norm) {
  MoeOptions all;
  all.router = "peer";
  all.num_experts = num_experts;
  all.num_experts_per_tok = per_row;
  all.moe_intermediate_size = 1;
  all.gated = false;
  all.hidden_act = "gelu";
  all.initializer_range = 0.5;
  const Fields fields = all.fields();
  fields.find("peer_heads").set(std::to_string(heads));
  fields.find("peer_key_size").set("3");
  fields.find("peer_query_norm").set(norm);
  return all;
}

using Weights = std::map<std::string, Tensor>;

Weights weights_of(const MoeLayer& layer) {
  Weights all;
  for (const Parameter& parameter : layer.parameters()) all[parameter.name] = parameter.value;
  return all;
}

// <Q x, c_key> of one half and head, in double.
double half_score(const Weights& weights, const std::string& half, std::int64_t head, std::int64_t key,
                  const float* row) {
  double sum = 0.0;
  for (std::int64_t i = 0; i < 3; ++i) {
    double query = 0.0;
    for (std::int64_t d = 0; d < kWidth; ++d) {
      query += static_cast<double>(weights.at(half + "query").matrix()(head * 3 + i, d)) * static_cast<double>(row[d]);
    }
    sum += query * static_cast<double>(weights.at(half + "keys").matrix()(key, i));
  }
  return sum;
}

TEST(PeerTest, IsTheSumOverASearchOfAllExperts) {
  constexpr std::int64_t kN = 5;
  constexpr std::int64_t kPerHead = 3;
  Random random(2);
  MoeLayer layer(kWidth, options(kN * kN, 2 * kPerHead, 2, "none"), random);
  const Weights weights = weights_of(layer);
  const Tensor rows = test::random_tensor({6, kWidth}, 1);
  Tape off;
  const MoeOutput output = layer.forward(off, rows, {});
  for (std::int64_t t = 0; t < 6; ++t) {
    std::vector<double> expected(kWidth, 0.0);
    for (std::int64_t head = 0; head < 2; ++head) {
      const Tensor scores = Tensor::uninitialized({1, kN * kN});
      for (std::int64_t e = 0; e < kN * kN; ++e) {
        const float* const row = rows.matrix().row(t);
        scores.data()[e] = static_cast<float>(half_score(weights, "router.first.", head, e / kN, row) +
                                              half_score(weights, "router.second.", head, e % kN, row));
      }
      std::vector<std::int32_t> experts(kPerHead);
      kernels::top_k_reference(scores.matrix(), kPerHead, experts);
      double total = 0.0;
      for (const std::int32_t e : experts) total += std::exp(static_cast<double>(scores.data()[e]));
      for (const std::int32_t e : experts) {
        double hidden = 0.0;
        for (std::int64_t d = 0; d < kWidth; ++d) {
          hidden += static_cast<double>(weights.at("experts.up_proj").data()[e * kWidth + d]) *
                    static_cast<double>(rows.matrix()(t, d));
        }
        const double factor = std::exp(static_cast<double>(scores.data()[e])) / total *
                              kernels::activation_reference(Activation::kGelu, hidden).value;
        for (std::int64_t d = 0; d < kWidth; ++d) {
          expected[static_cast<std::size_t>(d)] +=
              factor * static_cast<double>(weights.at("experts.down_proj").data()[e * kWidth + d]);
        }
      }
    }
    for (std::int64_t d = 0; d < kWidth; ++d) {
      EXPECT_NEAR(static_cast<double>(output.rows.matrix()(t, d)), expected[static_cast<std::size_t>(d)], 1e-5);
    }
  }
}

TEST(PeerTest, MetricsShowGroupsOfExpertsAndTheirWeights) {
  Random random(2);
  MoeLayer layer(kWidth, options(25, 8, 2, "layer"), random);
  Tape off;
  const MoeOutput output = layer.forward(off, test::random_tensor({6, kWidth}, 1), {});
  EXPECT_EQ(output.metrics.rows_per_expert.size(), 5U);
  EXPECT_EQ(observed_experts(options(25, 8, 2, "layer")), 5);
  double total = 0.0;
  for (const float weight : output.routing.assignment->combine_weights) total += static_cast<double>(weight);
  EXPECT_NEAR(total, 6.0 * 2.0, 1e-5);  // the weights of a head sum to 1
}

TEST(PeerTest, OptionsThatDoNotFitAreRefused) {
  const auto message = [](const MoeOptions& moe) {
    return test::error_message([&] {
      Random random(1);
      MoeLayer layer(kWidth, moe, random);
    });
  };
  EXPECT_NE(message(options(26, 8, 2, "layer")).find("num_experts=26 is not a square; nearest: 25"), std::string::npos);
  EXPECT_NE(message(options(25, 7, 2, "layer")).find("num_experts_per_tok=7"), std::string::npos);
  MoeOptions wide = options(25, 8, 2, "layer");
  wide.moe_intermediate_size = 2;
  EXPECT_NE(message(wide).find("moe_intermediate_size=2"), std::string::npos);
  EXPECT_EQ(message(options(25, 8, 2, "layer")), "no error");
}

TEST(PeerTest, RunningStatisticsAreSavedAndUsedInEvaluation) {
  Random random(2);
  MoeLayer layer(kWidth, options(25, 8, 2, "batch"), random);
  ASSERT_EQ(layer.buffers().size(), 4U);
  const Tensor rows = test::random_tensor({64, kWidth}, 1);
  Tape off;
  const Tensor before = layer.forward(off, rows, {}).rows;
  const Tensor mean = layer.buffers()[0].value;
  EXPECT_EQ(test::max_abs(mean.values()), 0.0F);
  layer.forward(off, rows, {.training = true});
  EXPECT_GT(test::max_abs(mean.values()), 0.0F);
  EXPECT_FALSE(test::identical(layer.forward(off, rows, {}).rows.values(), before.values()));
}

// A layer of 2^16 neurons learns a function that it does not know, and what a step touches is what the batch read.
TEST(PeerTest, SixtyFiveThousandNeuronsTrain) {
  MoeOptions moe = options(1 << 16, 32, 4, "layer");
  Random random(2);
  MoeLayer layer(kWidth, moe, random);
  const Tensor rows = test::random_tensor({48, kWidth}, 1);
  AdamW optimizer(layer.parameters(), {.weight_decay = 0.0});
  const auto error_and_gradient = [&](Tensor& gradient, const Tensor& output) {
    gradient = Tensor::uninitialized(output.shape());
    double sum = 0.0;
    for (std::int64_t i = 0; i < output.numel(); ++i) {
      const float target = std::sin(2.0F * rows.data()[i]);
      gradient.data()[i] = output.data()[i] - target;
      sum += static_cast<double>(gradient.data()[i]) * static_cast<double>(gradient.data()[i]);
    }
    return sum / static_cast<double>(output.numel());
  };
  double first = 0.0;
  double last = 0.0;
  for (int step = 0; step < 60; ++step) {
    Tape tape(Tape::Mode::kRecording);
    const MoeOutput output = layer.forward(tape, rows, {.training = true});
    Tensor gradient;
    last = error_and_gradient(gradient, output.rows);
    if (step == 0) first = last;
    tape.backward(output.rows, gradient);
    const Tensor weight = weights_of(layer).at("experts.up_proj");
    const Gradient& table = weight.grad();
    ASSERT_TRUE(table.in_rows());
    ASSERT_LE(table.stored_rows().size(), 48U * 32U);
    optimizer.step(0.02, optimizer.gradient_norm());
  }
  EXPECT_LT(last, 0.1 * first) << first;
}

}  // namespace peer_test
}  // namespace witan
