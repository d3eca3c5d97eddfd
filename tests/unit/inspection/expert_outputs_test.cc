// What experts say of rows, against experts run one at a time.
#include "inspection/expert_outputs.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "base/random.h"
#include "dispatch/row_experts.h"
#include "inspection/rank_correlation.h"
#include "inspection/super_experts.h"
#include "layers/moe_layer.h"
#include "support/tiny_models.h"

namespace witan {
namespace expert_outputs_test {

constexpr std::int64_t kTokens = 24;

struct Seen {
  std::int64_t layer;
  Routing routing;
  Tensor rows;
};

// A model's own pass over a text of `kTokens` tokens, watched by a census in two batches.
class Watched {
 public:
  Watched(const DecoderConfig& config, std::int64_t sample) : model(config, 7), census(model, kTokens, sample) {
    Random random(11);
    for (std::int64_t i = 0; i < kTokens; ++i) {
      ids.push_back(static_cast<std::int32_t>(random.uniform() * static_cast<float>(config.vocab_size)));
    }
    for (const std::int64_t first : {std::int64_t{0}, kTokens / 2}) {
      const auto half = std::span(ids).subspan(static_cast<std::size_t>(first), kTokens / 2);
      const std::vector<std::uint16_t> domains(half.size(), 0);
      const WindowObserver observer = census.observer();
      Tape off;
      model.forward(off, half, 1, kTokens / 2, {}, nullptr,
                    {.mixtures = [&](std::int64_t layer, const Routing& routing, const Tensor& rows) {
                      seen.push_back({layer, routing, Tensor::from(rows.shape(), rows.values())});
                      observer({half, domains}, layer, routing, rows);
                    }});
    }
  }

  // What one expert says of one row.
  std::vector<float> said(const Seen& at, std::int32_t row, std::int64_t expert) const {
    Assignment one;
    one.num_rows = at.rows.rows();
    one.num_experts = at.routing.assignment->num_experts;
    for (std::int64_t e = 0; e <= one.num_experts; ++e) one.expert_offsets.push_back(e > expert ? 1 : 0);
    one.row_indices = {row};
    one.combine_weights = {1.0F};
    one.choice_ranks = {0};
    Tape off;
    const Tensor output = model.mixture(at.layer)->expert_outputs(off, at.rows, one);
    return {output.values().begin(), output.values().end()};
  }

  Decoder model;
  OutputCensus census;
  std::vector<std::int32_t> ids;
  std::vector<Seen> seen;
};

double norm_of(const std::vector<float>& values) {
  double sum = 0.0;
  for (const float value : values) sum += static_cast<double>(value) * value;
  return std::sqrt(sum);
}

void expect_served_as_one_by_one(const DecoderConfig& config, const std::string& name) {
  const Watched watched(config, 0);
  for (const LayerOutputs& layer : watched.census.finish()) {
    EXPECT_EQ(layer.sampled_rows, 0) << name;
    EXPECT_FALSE(layer.rank_correlation) << name;
    for (std::size_t e = 0; e < layer.experts.size(); ++e) {
      ExpertOutputs expected;
      for (const Seen& at : watched.seen) {
        if (at.layer != layer.layer) continue;
        const std::vector<RowExperts> rows = experts_by_row(*at.routing.assignment);
        for (std::size_t r = 0; r < rows.size(); ++r) {
          for (std::size_t i = 0; i < rows[r].experts.size(); ++i) {
            if (rows[r].experts[i] != static_cast<std::int32_t>(e)) continue;
            const std::vector<float> said =
                watched.said(at, static_cast<std::int32_t>(r), static_cast<std::int64_t>(e));
            expected.rows += 1;
            expected.norm += norm_of(said);
            expected.weight += rows[r].weights[i];
            expected.weighted_norm += rows[r].weights[i] * norm_of(said);
            for (const float value : said) expected.largest = std::max(expected.largest, std::abs(double{value}));
          }
        }
      }
      const ExpertOutputs& found = layer.experts[e];
      const double rows = static_cast<double>(std::max<std::int64_t>(1, expected.rows));
      EXPECT_EQ(found.rows, expected.rows) << name;
      EXPECT_NEAR(found.norm, expected.norm / rows, 1e-4 * (1.0 + expected.norm / rows)) << name;
      EXPECT_NEAR(found.weight, expected.weight / rows, 1e-5 * (1.0 + expected.weight)) << name;
      EXPECT_NEAR(found.weighted_norm, expected.weighted_norm / rows, 1e-4 * (1.0 + expected.weighted_norm)) << name;
      EXPECT_NEAR(found.largest, expected.largest, 1e-4 * (1.0 + expected.largest)) << name;
      EXPECT_EQ(found.token >= 0, expected.rows > 0) << name;
    }
  }
}

TEST(ExpertOutputsTest, ServedRowsAsOneByOne) {
  for (const test::NamedConfig& named : test::tiny_configs()) expect_served_as_one_by_one(named.config, named.name);
}

TEST(ExpertOutputsTest, TheSampleIsAskedOfAllExperts) {
  const DecoderConfig config = test::tiny_config();
  const Watched watched(config, kTokens);  // every row
  const auto experts = static_cast<std::size_t>(config.moe.num_experts);
  for (const LayerOutputs& layer : watched.census.finish()) {
    EXPECT_EQ(layer.sampled_rows, kTokens);
    double correlation = 0.0;
    double chosen = 0.0;
    std::vector<double> norm(experts, 0.0);
    std::vector<double> cosine(experts * experts, 0.0);
    for (const Seen& at : watched.seen) {
      if (at.layer != layer.layer) continue;
      const std::vector<RowExperts> rows = experts_by_row(*at.routing.assignment);
      for (std::int32_t r = 0; r < at.rows.rows(); ++r) {
        std::vector<std::vector<float>> said;
        std::vector<double> norms;
        std::vector<double> asked;
        for (std::size_t e = 0; e < experts; ++e) {
          said.push_back(watched.said(at, r, static_cast<std::int64_t>(e)));
          norms.push_back(norm_of(said.back()));
          norm[e] += norms.back() / kTokens;
          asked.push_back(at.routing.probabilities.matrix()(r, static_cast<std::int64_t>(e)));
        }
        correlation += *rank_correlation(asked, norms) / kTokens;
        std::vector<double> sorted = norms;
        std::ranges::sort(sorted, std::ranges::greater());
        for (const std::int32_t e : rows[static_cast<std::size_t>(r)].experts) {
          if (norms[static_cast<std::size_t>(e)] >= sorted[1]) chosen += 0.5 / kTokens;  // of two choices each
        }
        for (std::size_t a = 0; a < experts; ++a) {
          for (std::size_t b = 0; b < experts; ++b) {
            double dot = 0.0;
            for (std::size_t c = 0; c < said[a].size(); ++c) dot += static_cast<double>(said[a][c]) * said[b][c];
            cosine[a * experts + b] += dot / (norms[a] * norms[b]) / kTokens;
          }
        }
      }
    }
    EXPECT_NEAR(*layer.rank_correlation, correlation, 1e-6);
    EXPECT_NEAR(layer.largest_chosen, chosen, 1e-9);
    EXPECT_NEAR(layer.chosen_by_chance, 2.0 / static_cast<double>(experts), 1e-12);
    for (std::size_t e = 0; e < experts; ++e) EXPECT_NEAR(layer.sampled_norm[e], norm[e], 1e-4 * norm[e]);
    for (std::size_t i = 0; i < cosine.size(); ++i) EXPECT_NEAR(layer.cosine[i], cosine[i], 1e-4);
  }
}

TEST(ExpertOutputsTest, ASampleIsSpreadOverAllBatches) {
  const Watched watched(test::tiny_config(), 7);
  for (const LayerOutputs& layer : watched.census.finish()) EXPECT_EQ(layer.sampled_rows, 7);
}

TEST(ExpertOutputsTest, ExpertsWithoutRowsOfTheirOwnAreLeftOut) {
  for (const test::NamedConfig& named : test::tiny_configs()) {
    if (named.config.moe.router != "peer") continue;
    EXPECT_TRUE(Watched(named.config, 4).census.finish().empty());
  }
  DecoderConfig soft = test::tiny_config();
  soft.moe.router = "soft_moe";
  soft.allow_noncausal = true;
  soft.complete({});
  EXPECT_TRUE(Watched(soft, 4).census.finish().empty());
}

LayerInspection with_largest(std::int64_t layer, const std::vector<double>& largest) {
  LayerInspection inspection;
  inspection.stack = "decoder";
  LayerOutputs& outputs = inspection.outputs.emplace();
  outputs.layer = layer;
  for (const double value : largest) outputs.experts.push_back({.rows = 1, .largest = value});
  return inspection;
}

TEST(SuperExpertsTest, AboveBothThresholds) {
  // 400 experts between 1 and 2, and three that stand out, of which one is below a tenth of the largest.
  std::vector<double> usual;
  for (int i = 0; i < 397; ++i) usual.push_back(1.0 + static_cast<double>(i) / 397.0);
  std::vector<LayerInspection> layers = {with_largest(0, usual), with_largest(3, {500.0, 40.0, 90.0})};
  const SuperExperts found = super_experts(layers);
  EXPECT_EQ(found.experts, 400);
  EXPECT_DOUBLE_EQ(found.tenth, 50.0);
  EXPECT_LT(found.quantile, 90.0);
  ASSERT_EQ(found.found.size(), 2U);
  EXPECT_EQ(found.found[0].layer, 3);
  EXPECT_EQ(found.found[0].expert, 0);
  EXPECT_EQ(found.found[1].expert, 2);
  EXPECT_DOUBLE_EQ(found.found[1].largest, 90.0);
  EXPECT_NEAR(found.median, 1.5, 0.01);
}

TEST(SuperExpertsTest, NoneWhereAllAreEqualAndNoneWithoutRows) {
  EXPECT_TRUE(super_experts(std::vector<LayerInspection>{with_largest(0, {2.0, 2.0, 2.0})}).found.empty());
  EXPECT_TRUE(super_experts(std::vector<LayerInspection>{}).found.empty());
  LayerInspection idle = with_largest(0, {1.0, 1.0, 9.0});
  idle.outputs->experts[2].rows = 0;
  LayerInspection neurons;
  EXPECT_EQ(super_experts(std::vector<LayerInspection>{idle, neurons}).experts, 2);
}

}  // namespace expert_outputs_test
}  // namespace witan
