// The load-balancing loss under every option, against counts done by hand, and the pooled form of Hugging Face.
#include "balance/load_balance.h"

#include <gtest/gtest.h>

#include <functional>

#include "autograd/ops/softmax.h"
#include "balance/table.h"
#include "dispatch/sort_by_expert.h"
#include "support/compare.h"
#include "support/gradient_check.h"

namespace witan {
namespace load_balance_test {

constexpr std::int64_t kExperts = 4;

BalanceOptions options_with(const std::function<void(BalanceOptions&)>& change) {
  BalanceOptions options;
  options.router_aux_loss_coef = 1.0;
  options.router_z_loss_coef = 0.0;
  change(options);
  return options;
}

// Choices k = 2 of six rows: counts of all choices 4 3 3 2, of first ones 3 2 1 0.
Choices six_rows() { return {6, kExperts, 2, {0, 1, 0, 1, 0, 2, 1, 2, 1, 3, 2, 0}}; }
// The fourth choice of expert 0 comes from row 5, as a second one.

Routing routing_of(Tape& tape, const Choices& choices, const Tensor& scores,
                   std::int64_t capacity = kUnlimitedCapacity) {
  const std::vector<float> weights(choices.experts.size(), 0.5F);
  SortedChoices sorted = sort_by_expert(choices, weights, {capacity, &find_drop_policy("position"), nullptr});
  return {sorted.assignment, {}, ops::softmax(tape, scores), {}};
}

double unscaled(const BalanceOptions& options, const Routing& routing, const RouterContext& context = {}) {
  Tape off;
  const Tensor unused;
  return static_cast<double>(make_balance_rules(options)[0]->term(off, {unused, routing, context}).unscaled);
}

// E sum_e f_e P_e with P over the rows of `routing` from first to last.
double by_hand(std::vector<double> f, const Routing& routing, std::int64_t first, std::int64_t last) {
  double sum = 0.0;
  for (std::int64_t row = first; row < last; ++row) {
    for (std::int64_t e = 0; e < kExperts; ++e) {
      sum += f[static_cast<std::size_t>(e)] * static_cast<double>(routing.probabilities.matrix()(row, e));
    }
  }
  return sum * static_cast<double>(kExperts) / static_cast<double>(last - first);
}

class LoadBalanceTest : public testing::Test {
 protected:
  Tape off_;
  Tensor scores_ = test::random_tensor({6, kExperts}, 1);
  Routing routing_ = routing_of(off_, six_rows(), scores_);
  Routing dropping_ = routing_of(off_, six_rows(), scores_, 2);  // serves 2 2 2 1 or so, drops the rest
};

TEST_F(LoadBalanceTest, CountsAllChoicesBeforeDropping) {
  const BalanceOptions options = options_with([](BalanceOptions&) {});
  const double expected = by_hand({4 / 12.0, 4 / 12.0, 3 / 12.0, 1 / 12.0}, routing_, 0, 6);
  EXPECT_NEAR(unscaled(options, routing_), expected, 1e-6);
  EXPECT_NEAR(unscaled(options, dropping_), expected, 1e-6);
}

TEST_F(LoadBalanceTest, CountsAfterDropping) {
  const BalanceOptions options = options_with([](BalanceOptions& o) { o.balance_counts = "after_dropping"; });
  EXPECT_NEAR(unscaled(options, dropping_), by_hand({2 / 12.0, 2 / 12.0, 2 / 12.0, 1 / 12.0}, routing_, 0, 6), 1e-6);
}

TEST_F(LoadBalanceTest, CountsFirstChoices) {
  const BalanceOptions options = options_with([](BalanceOptions& o) { o.balance_choices = "first"; });
  EXPECT_NEAR(unscaled(options, routing_), by_hand({3 / 6.0, 2 / 6.0, 1 / 6.0, 0.0}, routing_, 0, 6), 1e-6);
  EXPECT_NEAR(unscaled(options, dropping_), unscaled(options, routing_), 1e-6);
}

TEST_F(LoadBalanceTest, ScaleKIsKTimesTheOther) {
  for (const char* const choices : {"all", "first"}) {
    const auto with_scale = [&](const char* scale) {
      return options_with([&](BalanceOptions& o) {
        o.balance_scale = scale;
        o.balance_choices = choices;
      });
    };
    EXPECT_NEAR(unscaled(with_scale("k"), routing_), 2.0 * unscaled(with_scale("one"), routing_), 1e-6);
  }
}

TEST_F(LoadBalanceTest, PerSequenceIsTheMeanOfTheSequencesLosses) {
  const BalanceOptions options = options_with([](BalanceOptions& o) { o.balance_scope = "sequence"; });
  const double first = by_hand({3 / 6.0, 2 / 6.0, 1 / 6.0, 0.0}, routing_, 0, 3);
  const double second = by_hand({1 / 6.0, 2 / 6.0, 2 / 6.0, 1 / 6.0}, routing_, 3, 6);
  EXPECT_NEAR(unscaled(options, routing_, {.rows_per_sequence = 3}), 0.5 * (first + second), 1e-6);
  const std::vector<std::uint8_t> only_second = {0, 0, 0, 1, 1, 1};
  Choices masked = six_rows();
  std::fill_n(masked.experts.begin(), 6, kNoExpert);
  EXPECT_NEAR(unscaled(options, routing_of(off_, masked, scores_), {.rows_per_sequence = 3, .row_mask = only_second}),
              second, 1e-6);
}

TEST_F(LoadBalanceTest, GlobalBatchAccumulatesCountsOverTheStep) {
  const BalanceOptions options = options_with([](BalanceOptions& o) { o.balance_scope = "global_batch"; });
  const auto rules = make_balance_rules(options);
  Choices other = six_rows();
  std::fill(other.experts.begin(), other.experts.end(), 3);
  for (std::size_t i = 1; i < other.experts.size(); i += 2) other.experts[i] = 2;
  const Routing second = routing_of(off_, other, scores_);
  const Tensor unused;
  const auto term = [&](const Routing& routing, bool training, std::int64_t micro_batch) {
    const RouterContext context{.training = training, .micro_batch = micro_batch};
    return static_cast<double>(rules[0]->term(off_, {unused, routing, context}).unscaled);
  };
  const double alone = by_hand({4 / 12.0, 4 / 12.0, 3 / 12.0, 1 / 12.0}, routing_, 0, 6);
  for (int step = 0; step < 2; ++step) {
    EXPECT_NEAR(term(routing_, true, 0), alone, 1e-6);
    EXPECT_NEAR(term(routing_, false, 0), alone, 1e-6);  // evaluation in between leaves no trace
    EXPECT_NEAR(term(second, true, 1), by_hand({4 / 24.0, 4 / 24.0, 9 / 24.0, 7 / 24.0}, second, 0, 6), 1e-6);
  }
}

TEST_F(LoadBalanceTest, PooledIsHuggingFacesLoss) {
  const BalanceOptions options = options_with([](BalanceOptions& o) { o.balance_hf_compatible = true; });
  EXPECT_TRUE(make_balance_rules(options).empty());
  Choices other = six_rows();
  for (std::size_t i = 0; i < other.experts.size(); ++i) other.experts[i] = i % 2 == 0 ? 3 : 2;
  const std::vector<Routing> layers = {routing_, routing_of(off_, other, test::random_tensor({6, kExperts}, 2, 2.0F))};
  // E sum_e (count_e / rows) P_e over the 12 rows of both layers.
  const std::vector<double> f = {4 / 12.0, 4 / 12.0, 9 / 12.0, 7 / 12.0};
  const double expected = 0.5 * (by_hand(f, layers[0], 0, 6) + by_hand(f, layers[1], 0, 6));
  EXPECT_NEAR(static_cast<double>(pooled_load_balance(off_, options, layers, {}).unscaled), expected, 1e-6);
}

TEST_F(LoadBalanceTest, GradientsMatchCentralDifferences) {
  const std::vector<std::uint8_t> mask = {1, 1, 0, 1, 1, 1};
  Choices choices = six_rows();
  std::fill_n(choices.experts.begin() + 4, 2, kNoExpert);
  for (const char* const scope : {"micro_batch", "sequence", "global_batch"}) {
    const BalanceOptions options = options_with([&](BalanceOptions& o) {
      o.balance_scope = scope;
      o.router_aux_loss_coef = 0.7;
    });
    const auto rules = make_balance_rules(options);
    EXPECT_TRUE(test::gradients_match(
        [&](Tape& tape, std::span<const Tensor> x) {
          const Routing routing = routing_of(tape, choices, x[0]);
          const RouterContext context{.training = true, .rows_per_sequence = 2, .row_mask = mask};
          return rules[0]->term(tape, {x[0], routing, context}).value;
        },
        {&scores_, 1}, 1e-2F, 2e-3F))
        << scope;
  }
  EXPECT_TRUE(test::gradients_match(
      [&](Tape& tape, std::span<const Tensor> x) {
        const std::vector<Routing> layers = {routing_of(tape, choices, x[0]), routing_of(tape, six_rows(), x[0])};
        return pooled_load_balance(tape, options_with([](BalanceOptions&) {}), layers, {}).value;
      },
      {&scores_, 1}, 1e-2F, 2e-3F));
}

TEST_F(LoadBalanceTest, NoRowsCostNothing) {
  for (const char* const scope : {"micro_batch", "sequence", "global_batch"}) {
    const BalanceOptions options = options_with([&](BalanceOptions& o) { o.balance_scope = scope; });
    const Routing empty = routing_of(off_, {0, kExperts, 2, {}}, Tensor::zeros({0, kExperts}));
    EXPECT_EQ(unscaled(options, empty, {.rows_per_sequence = 3}), 0.0) << scope;
  }
}

}  // namespace load_balance_test
}  // namespace witan
