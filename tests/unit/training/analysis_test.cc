// Counting who served what, from routings made by hand.
#include "training/analysis.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "support/temporary_folder.h"

namespace witan {
namespace analysis_test {

// Row r goes to expert experts[r] alone.
Routing routing(const std::vector<int>& experts, std::int64_t num_experts) {
  auto assignment = std::make_shared<Assignment>();
  assignment->num_rows = static_cast<std::int64_t>(experts.size());
  assignment->num_experts = num_experts;
  assignment->expert_offsets.push_back(0);
  for (int e = 0; e < num_experts; ++e) {
    for (std::size_t r = 0; r < experts.size(); ++r) {
      if (experts[r] != e) continue;
      assignment->row_indices.push_back(static_cast<std::int32_t>(r));
      assignment->combine_weights.push_back(1.0F);
      assignment->choice_ranks.push_back(0);
    }
    assignment->expert_offsets.push_back(assignment->num_assigned());
  }
  Routing result;
  result.assignment = assignment;
  result.probabilities = Tensor::full({assignment->num_rows, num_experts}, 1.0F / static_cast<float>(num_experts));
  return result;
}

TEST(AnalysisTest, CountsDomainsAndTokens) {
  const auto tokenizer = make_byte_tokenizer();
  const std::int32_t a = tokenizer->encode("a").front();
  const std::int32_t b = tokenizer->encode("b").front();
  RoutingCensus census(2, 3, tokenizer->vocab_size());
  // Domain 0: six 'a', all to expert 0. Domain 1: two 'a' and four 'b', all to expert 1. Domain 2 has no text.
  const std::vector<std::int32_t> inputs = {a, a, a, a, a, a, a, a, b, b, b, b};
  const std::vector<std::uint16_t> domains = {0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1};
  census.observer()({inputs, domains}, 5, routing({0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1}, 2), {});
  const std::vector<LayerAnalysis> layers = census.finish(*tokenizer);

  ASSERT_EQ(layers.size(), 1U);
  const LayerAnalysis& layer = layers.front();
  EXPECT_EQ(layer.layer, 5);
  EXPECT_EQ(layer.load, (std::vector<double>{0.5, 0.5}));
  EXPECT_EQ(layer.load_by_domain, (std::vector<std::vector<double>>{{1.0, 0.0}, {0.0, 1.0}, {0.0, 0.0}}));
  EXPECT_NEAR(layer.entropy, std::log(2.0), 1e-6);
  ASSERT_EQ(layer.top_tokens[0].size(), 1U);
  EXPECT_EQ(layer.top_tokens[0][0].token, "a");
  EXPECT_EQ(layer.top_tokens[0][0].count, 6);
  EXPECT_DOUBLE_EQ(layer.top_tokens[0][0].lift, 1.0 / (8.0 / 12.0));
  ASSERT_EQ(layer.top_tokens[1].size(), 1U) << "two 'a' are too few to say anything";
  EXPECT_EQ(layer.top_tokens[1][0].token, "b");
  EXPECT_DOUBLE_EQ(layer.top_tokens[1][0].lift, (4.0 / 6.0) / (4.0 / 12.0));
}

TEST(AnalysisTest, CountsWhoServedTogetherAndEntropyByDomain) {
  const auto tokenizer = make_byte_tokenizer();
  RoutingCensus census(3, 3, tokenizer->vocab_size());
  // Rows 0 to 3 go to {0, 1}, {0, 1}, {0, 2} and nobody.
  auto assignment = std::make_shared<Assignment>();
  assignment->num_rows = 4;
  assignment->num_experts = 3;
  assignment->expert_offsets = {0, 3, 5, 6};
  assignment->row_indices = {0, 1, 2, 0, 1, 2};
  assignment->combine_weights.resize(6, 0.5F);
  assignment->choice_ranks = {0, 0, 0, 1, 1, 1};
  assignment->validate();
  Routing routing;
  routing.assignment = assignment;
  constexpr std::array kProbabilities = {0.5F, 0.5F, 0.0F, 1.0F, 0.0F, 0.0F, 0.5F, 0.25F, 0.25F, 0.0F, 0.0F, 1.0F};
  routing.probabilities = Tensor::from({4, 3}, kProbabilities);
  const std::vector<std::int32_t> inputs = {1, 2, 3, 4};
  const std::vector<std::uint16_t> domains = {0, 0, 2, 2};
  census.observer()({inputs, domains}, 1, routing, {});
  census.observer()({inputs, domains}, 1, routing, {});
  const std::vector<LayerAnalysis> layers = census.finish(*tokenizer);
  EXPECT_EQ(layers[0].together, (std::vector<std::vector<std::int64_t>>{{6, 4, 2}, {4, 4, 0}, {2, 0, 2}}));
  const double two = std::log(2.0);
  ASSERT_EQ(layers[0].entropy_by_domain.size(), 3U);
  EXPECT_NEAR(layers[0].entropy_by_domain[0], two / 2.0, 1e-6);
  EXPECT_EQ(layers[0].entropy_by_domain[1], 0.0) << "a domain without text";
  EXPECT_NEAR(layers[0].entropy_by_domain[2], 1.5 * two / 2.0, 1e-6);
  EXPECT_NEAR(layers[0].entropy, (two + 1.5 * two) / 4.0, 1e-6);
}

TEST(AnalysisTest, KeepsTheStrongestTokens) {
  const auto tokenizer = make_byte_tokenizer();
  RoutingCensus census(2, 1, tokenizer->vocab_size());
  std::vector<std::int32_t> inputs;
  std::vector<int> experts;
  for (int token = 0; token < 6; ++token) {
    for (int i = 0; i < 10 * (token + 1); ++i) {
      inputs.push_back(tokenizer->encode(std::string(1, static_cast<char>('a' + token))).front());
      experts.push_back(token < 3 ? 0 : 1);
    }
  }
  const std::vector<std::uint16_t> domains(inputs.size(), 0);
  census.observer()({inputs, domains}, 0, routing(experts, 2), {});
  const auto layers = census.finish(*tokenizer, 2);
  ASSERT_EQ(layers[0].top_tokens[0].size(), 2U);
  EXPECT_EQ(layers[0].top_tokens[0][0].token, "c");
  EXPECT_EQ(layers[0].top_tokens[0][1].token, "b");
}

TEST(AnalysisTest, BytesThatAreNoTextAreNamed) {
  const auto tokenizer = make_byte_tokenizer();
  const std::vector<std::int32_t> euro = tokenizer->encode("€");
  ASSERT_EQ(euro.size(), 3U);
  RoutingCensus census(2, 1, tokenizer->vocab_size());
  const std::vector<std::int32_t> inputs = {euro[0], euro[0], euro[0], euro[0], euro[1], euro[1], euro[1], euro[1]};
  const std::vector<std::uint16_t> domains(8, 0);
  census.observer()({inputs, domains}, 0, routing({0, 0, 0, 0, 1, 1, 1, 1}, 2), {});
  EXPECT_EQ(census.finish(*tokenizer)[0].top_tokens[0][0].token, "<0xE2>");
}

TEST(AnalysisTest, FileHoldsWhatTheReportReads) {
  const test::TemporaryFolder root;
  Analysis analysis;
  analysis.domains = {"de"};
  analysis.layers.push_back({.layer = 1,
                             .load_by_domain = {{0.25, 0.75}},
                             .load = {0.25, 0.75},
                             .entropy = 0.5,
                             .entropy_by_domain = {0.5},
                             .together = {{2, 1}, {1, 6}},
                             .top_tokens = {{{"und", 7, 3.5}}, {}}});
  analysis.samples.push_back({"de", "Es war", " einmal"});
  write_analysis(root / "analysis.json", analysis);
  const auto object = nlohmann::json::parse(read_text_file(root / "analysis.json"));
  EXPECT_EQ(object["domains"], nlohmann::json({"de"}));
  EXPECT_EQ(object["layers"][0]["experts"], 2);
  EXPECT_EQ(object["layers"][0]["load_by_domain"][0][1], 0.75);
  EXPECT_EQ(object["layers"][0]["entropy_by_domain"], nlohmann::json({0.5}));
  EXPECT_FALSE(object["layers"][0].contains("together")) << "it grows with the square of the experts";
  EXPECT_EQ(object["layers"][0]["top_tokens"][0][0]["token"], "und");
  EXPECT_EQ(object["layers"][0]["top_tokens"][0][0]["lift"], 3.5);
  EXPECT_EQ(object["samples"][0]["prompt"], "Es war");
}

}  // namespace analysis_test
}  // namespace witan
