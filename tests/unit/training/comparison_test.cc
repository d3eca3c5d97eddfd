// Candidates on equal terms: as many active parameters, named settings, plans without repetition.
#include "training/comparison.h"

#include <gtest/gtest.h>

#include <set>

#include "routers/table.h"
#include "support/error_message.h"
#include "training/routing_cost.h"

namespace witan {
namespace training_comparison_test {

ParameterCounts counts_of(const DecoderConfig& config) { return Decoder(config, 1).counts(); }

TrainSettings zoo() { return preset_settings("zoo"); }

// Router and gate weights differ; all else should not.
void expect_close(std::int64_t actual, std::int64_t expected, double share) {
  EXPECT_NEAR(static_cast<double>(actual), static_cast<double>(expected), share * static_cast<double>(expected));
}

TEST(ComparisonTest, OneExpertPerRowIsTwiceAsWideAndHalfAsMany) {
  const DecoderConfig base = zoo().model;
  const MoeOptions moe = make_candidate(base, "switch").model.moe;
  EXPECT_EQ(moe.num_experts, base.moe.num_experts / 2);
  EXPECT_EQ(moe.moe_intermediate_size, base.moe.moe_intermediate_size * 2);
  EXPECT_EQ(moe.num_experts_per_tok, 1);
}

TEST(ComparisonTest, TheZooHasEqualActiveParameters) {
  const TrainSettings settings = zoo();
  const ParameterCounts base = counts_of(make_candidate(settings.model, "top_k").model);
  const std::vector<std::string> texts = zoo_candidates(settings.model);
  std::set<std::string> routers;
  for (const std::string& text : texts) {
    const DecoderConfig model = make_candidate(settings.model, text).model;
    EXPECT_NO_THROW(model.validate()) << text;
    routers.insert(model.moe.router);
    SCOPED_TRACE(text);
    expect_close(counts_of(model).active, base.active, 0.25);
  }
  for (const RouterEntry& entry : router_table()) {
    const bool safe = entry.causal_safe(make_candidate(settings.model, entry.name).model.moe);
    EXPECT_EQ(routers.contains(entry.name), safe) << entry.name;
  }
}

TEST(ComparisonTest, FieldsOfTheTextComeLast) {
  const Candidate candidate =
      make_candidate(zoo().model, "top_k:weighting=softmax_then_topk,gate=cosine,num_experts=4");
  EXPECT_EQ(candidate.label, "top_k:weighting=softmax_then_topk,gate=cosine,num_experts=4");
  EXPECT_EQ(candidate.model.moe.weighting, "softmax_then_topk");
  EXPECT_EQ(candidate.model.moe.gate, "cosine");
  EXPECT_EQ(candidate.model.moe.num_experts, 4);
}

TEST(ComparisonTest, SeedsAreTheOuterLoop) {
  TrainSettings settings = zoo();
  settings.seed = 5;
  const std::vector<std::string> texts = {"top_k", "top_k:gate=mlp"};
  const std::vector<ComparisonRun> runs = plan_comparison(settings, texts, 2);
  ASSERT_EQ(runs.size(), 4U);
  EXPECT_EQ(runs[1].folder, "top_k-gate-mlp-seed5");
  EXPECT_EQ(runs[2].folder, "top_k-seed6");
  EXPECT_EQ(runs[2].settings.seed, 6);
  EXPECT_EQ(runs[3].settings.model.moe.gate, "mlp");
}

TEST(ComparisonTest, WhatDoesNotFitNamesItsCandidate) {
  TrainSettings settings = zoo();
  const auto message = [&](const std::vector<std::string>& texts) {
    return test::error_message([&] { plan_comparison(settings, texts, 1); });
  };
  EXPECT_NE(message({"top_q"}).find("top_q"), std::string::npos);
  EXPECT_NE(message({"top_k:weighting"}).find("field=value"), std::string::npos);
  EXPECT_NE(message({"top_k:wheighting=scaled"}).find("top_k:wheighting=scaled"), std::string::npos);
  EXPECT_NE(message({"soft_moe"}).find("soft_moe"), std::string::npos);  // not causal
  EXPECT_NE(message({"top_k", "top_k"}).find("twice"), std::string::npos);
  EXPECT_NE(message({}).find("no routers"), std::string::npos);
  settings.budget = {.minutes = 1.0};
  EXPECT_NE(message({"top_k"}).find("minutes=1"), std::string::npos);
  settings = zoo();
  settings.seed = kMostSeed;
  const std::vector<std::string> one = {"top_k"};
  EXPECT_NO_THROW(plan_comparison(settings, one, 1));
  EXPECT_NE(test::error_message([&] { plan_comparison(settings, one, 2); }).find("the last seed"), std::string::npos);
  settings = zoo();
  settings.model.moe.num_experts = 15;
  EXPECT_NE(message({"switch"}).find("switch: num_experts=15"), std::string::npos) << message({"switch"});
}

TEST(ComparisonTest, RoutingHasACost) {
  DecoderConfig model = zoo().model;
  model.vocab_size = 64;
  for (const std::string text : {"top_k", "peer", "dense"}) {
    const RoutingCost cost = measure_routing_cost(make_candidate(model, text).model, 64, 32);
    EXPECT_GT(cost.microseconds_per_row, 0.0) << text;
    EXPECT_GT(cost.share, 0.0) << text;
    EXPECT_LE(cost.share, 1.0) << text;
  }
}

}  // namespace training_comparison_test
}  // namespace witan
