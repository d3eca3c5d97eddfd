// Group limits in both forms, the compatibility mask, and the bias of loss-free balancing.
#include "routers/group_limited.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "routers/table.h"
#include "support/compare.h"
#include "support/error_message.h"
#include "support/gradient_check.h"

namespace witan {
namespace group_limited_test {

constexpr std::int64_t kExperts = 6;  // three groups of two

RouterOptions limited(const char* router, const char* group_score, std::int64_t k = 2, const char* groups = "3",
                      const char* per_row = "1") {
  RouterOptions options;
  options.router = router;
  options.num_experts = kExperts;
  options.num_experts_per_tok = k;
  options.weighting = "sigmoid_topk_norm";
  const Fields fields = options.fields();
  fields.find("n_group").set(groups);
  fields.find("topk_group").set(per_row);
  fields.find("group_score").set(group_score);
  return options;
}

std::unique_ptr<Router> make(const RouterOptions& options) {
  Random random(1);
  return find_router(options.router).make(options, 4, random);
}

// The experts of each row, ascending.
std::vector<std::vector<std::int64_t>> experts_of_rows(const Assignment& assignment) {
  std::vector<std::vector<std::int64_t>> experts(static_cast<std::size_t>(assignment.num_rows));
  for (std::int64_t e = 0; e < assignment.num_experts; ++e) {
    for (const std::int32_t row : assignment.rows_of(e)) experts[static_cast<std::size_t>(row)].push_back(e);
  }
  return experts;
}

// The definition, row by row, with stable sorts in double.
std::vector<std::int64_t> by_hand(std::vector<double> s, bool sum_of_two, double mask, std::size_t per_row,
                                  std::size_t k) {
  std::vector<double> group_scores;
  for (std::size_t g = 0; g < 3; ++g) {
    group_scores.push_back(sum_of_two ? s[2 * g] + s[2 * g + 1] : std::max(s[2 * g], s[2 * g + 1]));
  }
  const auto best_first = [](const std::vector<double>& of) {
    std::vector<std::int64_t> order(of.size());
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(), [&](std::int64_t a, std::int64_t b) {
      return of[static_cast<std::size_t>(a)] > of[static_cast<std::size_t>(b)];
    });
    return order;
  };
  const std::vector<std::int64_t> groups = best_first(group_scores);
  for (std::size_t g = per_row; g < 3; ++g) s[2 * static_cast<std::size_t>(groups[g])] = mask;
  for (std::size_t g = per_row; g < 3; ++g) s[2 * static_cast<std::size_t>(groups[g]) + 1] = mask;
  std::vector<std::int64_t> experts = best_first(s);
  experts.resize(k);
  std::sort(experts.begin(), experts.end());
  return experts;
}

TEST(GroupLimitedRouterTest, BothFormsAgreeWithTheDefinition) {
  const Tensor scores = test::random_tensor({50, kExperts}, 2);
  Tape off;
  for (const bool sum_of_two : {false, true}) {
    for (const std::size_t per_row : {1U, 2U, 3U}) {
      const RouterOptions options =
          limited("group_limited", sum_of_two ? "sum_of_two" : "max", 2, "3", std::to_string(per_row).c_str());
      const Routing routing = make(options)->route(off, scores, {});
      const auto experts = experts_of_rows(*routing.assignment);
      for (std::int64_t row = 0; row < 50; ++row) {
        std::vector<double> s;
        for (std::int64_t e = 0; e < kExperts; ++e) {
          s.push_back(1.0 / (1.0 + std::exp(-static_cast<double>(scores.matrix()(row, e)))));
        }
        EXPECT_EQ(experts[static_cast<std::size_t>(row)], by_hand(s, sum_of_two, -1e30, per_row, 2));
      }
    }
  }
}

TEST(GroupLimitedRouterTest, TheFormsDifferWhereTheyShould) {
  const Tensor scores = Tensor::from({1, 6}, std::vector<float>{2.0F, -5.0F, 1.0F, 1.0F, 0.0F, 0.0F});
  Tape off;
  const auto experts = [&](const char* form) {
    return experts_of_rows(*make(limited("group_limited", form))->route(off, scores, {}).assignment)[0];
  };
  EXPECT_EQ(experts("max"), (std::vector<std::int64_t>{0, 1}));
  EXPECT_EQ(experts("sum_of_two"), (std::vector<std::int64_t>{2, 3}));
}

TEST(GroupLimitedRouterTest, RefusesGroupsThatDoNotFit) {
  const auto message = [](std::int64_t k, const char* groups, const char* per_row) {
    return test::error_message([&] { make(limited("group_limited", "max", k, groups, per_row)); });
  };
  EXPECT_NE(message(2, "4", "1").find("n_group=4 does not divide num_experts=6"), std::string::npos);
  EXPECT_NE(message(2, "3", "4").find("topk_group=4 exceeds n_group=3"), std::string::npos);
  EXPECT_NE(message(3, "3", "1").find("num_experts_per_tok=3 exceeds the 2 experts"), std::string::npos);
  EXPECT_EQ(message(3, "3", "2"), "no error");
}

TEST(LossFreeRouterTest, BiasMovesAgainstTheLoadByTheRate) {
  RouterOptions options = limited("loss_free", "max", 2, "1");
  options.fields().find("bias_update_rate").set("0.25");
  const auto router = make(options);
  const Tensor bias = router->buffers()[0].value;
  EXPECT_EQ(router->buffers()[0].name, "e_score_correction_bias");
  const std::vector<std::int64_t> counts = {5, 10, 20, 10, 15, 0};  // mean 10
  router->after_step(counts);
  EXPECT_TRUE(test::identical(bias.values(), std::vector<float>{0.25F, 0.0F, -0.25F, 0.0F, -0.25F, 0.25F}));
  router->after_step(std::vector<std::int64_t>(6, 7));  // sign(0) = 0
  EXPECT_TRUE(test::identical(bias.values(), std::vector<float>{0.25F, 0.0F, -0.25F, 0.0F, -0.25F, 0.25F}));
  router->after_step(std::vector<std::int64_t>(6, 0));
  EXPECT_EQ(bias.values()[0], 0.25F);
}

TEST(LossFreeRouterTest, BiasSelectsButNeverWeighs) {
  for (const char* const weighting : {"sigmoid_topk_norm", "softmax_then_topk"}) {
    RouterOptions options = limited("loss_free", "max", 2, "1");
    options.weighting = weighting;
    const auto router = make(options);
    const Tensor bias = router->buffers()[0].value;
    const Tensor scores = Tensor::from({1, 6}, std::vector<float>{2.0F, 1.5F, 1.0F, 0.5F, 0.0F, -0.5F});
    Tape off;
    bias.data()[5] = 3.0F;
    const Routing biased = router->route(off, scores, {});
    EXPECT_EQ(experts_of_rows(*biased.assignment)[0], (std::vector<std::int64_t>{0, 5}));
    const auto s = [&](std::int64_t e) { return 1.0F / (1.0F + std::exp(-scores.data()[e])); };
    const bool sigmoid = options.weighting == "sigmoid_topk_norm";
    const float expected = sigmoid ? s(5) / (s(0) + s(5)) : biased.probabilities.values()[5];
    EXPECT_NEAR(biased.combine_weights.values()[1], expected, 1e-6F) << weighting;
  }
}

TEST(LossFreeRouterTest, GradientIsThatWithoutABias) {
  RouterOptions options = limited("loss_free", "sum_of_two", 2, "3", "2");
  const auto router = make(options);
  std::ranges::copy(std::vector<float>{0.3F, -0.2F, 0.1F, 0.0F, 0.2F, -0.1F}, router->buffers()[0].value.data());
  EXPECT_FALSE(router->buffers()[0].value.requires_grad());
  const Tensor scores = test::random_tensor({4, kExperts}, 3);
  EXPECT_TRUE(test::gradients_match(
      [&](Tape& tape, std::span<const Tensor> x) { return router->route(tape, x[0], {}).combine_weights; },
      {&scores, 1}, 1e-3F, 1e-2F));
}

// With a mask of 0 an expert outside of the row's groups beats one inside whose biased score is negative.
TEST(LossFreeRouterTest, TheCompatibilityMaskLetsMaskedExpertsWin) {
  RouterOptions options = limited("loss_free", "max");
  const Tensor scores = Tensor::from({1, 6}, std::vector<float>{2.0F, -1.0F, 0.0F, 0.0F, 0.0F, 0.0F});
  const auto experts = [&] {
    const auto router = make(options);
    router->buffers()[0].value.data()[1] = -0.5F;
    Tape off;
    return experts_of_rows(*router->route(off, scores, {}).assignment)[0];
  };
  EXPECT_EQ(experts(), (std::vector<std::int64_t>{0, 1}));
  options.fields().find("masked_group_score").set("zero");
  EXPECT_EQ(experts(), (std::vector<std::int64_t>{0, 2}));
}

TEST(LossFreeRouterTest, ManyStepsBalanceASkewedGate) {
  RouterOptions options = limited("loss_free", "max", 1, "1");
  options.weighting = "softmax_then_topk";
  options.fields().find("bias_update_rate").set("0.002");
  const auto router = make(options);
  Tensor scores = test::random_tensor({600, kExperts}, 3);
  for (std::int64_t row = 0; row < 600; ++row) scores.matrix()(row, 0) += 1.5F;  // everybody's favourite
  Tape off;
  const auto largest_over_mean = [&](bool update) {
    const Routing routing = router->route(off, scores, {.training = true});
    std::vector<std::int64_t> counts;
    for (std::int64_t e = 0; e < kExperts; ++e) counts.push_back(routing.assignment->load(e));
    if (update) router->after_step(counts);
    return static_cast<double>(*std::max_element(counts.begin(), counts.end())) / 100.0;
  };
  EXPECT_GT(largest_over_mean(false), 2.5);
  for (int step = 0; step < 400; ++step) largest_over_mean(true);
  EXPECT_LT(largest_over_mean(false), 1.1);
}

}  // namespace group_limited_test
}  // namespace witan
