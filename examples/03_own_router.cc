// 3. A router of your own, in one file outside the tree: top-p routing (Huang et al. 2024, "Harder Tasks Need More
// Experts"). A row asks for the fewest experts whose probabilities sum to p, so sure rows cost less than unsure ones.
// Build: the checks do; run: build/release/examples/03_own_router
#include <fmt/core.h>

#include <algorithm>

#include "base/error.h"
#include "layers/moe_layer.h"
#include "routers/table.h"
#include "routers/token_choice.h"
#include "routers/weighting.h"

namespace {

class TopPRouter final : public witan::Router {
 public:
  TopPRouter(std::int64_t most, float p) : most_(most), p_(p) {}

  witan::Routing route(witan::Tape& tape, const witan::Tensor& scores, const witan::RouterContext& context) override {
    const witan::WeightingRule rule{.weighting = witan::Weighting::kSoftmaxThenTopK};
    const witan::Tensor probabilities = witan::routing_probabilities(tape, scores, rule.weighting);
    witan::Choices choices = witan::choose_top_k(scores, most_, context.row_mask);
    for (std::int64_t row = 0; row < choices.num_rows; ++row) keep_enough(choices, row, probabilities);
    const witan::Tensor weights = witan::choice_weights(tape, scores, probabilities, choices, rule);
    return witan::route_choices(tape, choices, weights, probabilities, {});
  }

 private:
  // Takes back the choices of a row after those that sum to p.
  void keep_enough(witan::Choices& choices, std::int64_t row, const witan::Tensor& probabilities) const {
    float sum = 0.0F;
    for (std::int64_t rank = 0; rank < most_; ++rank) {
      std::int32_t& expert = choices.experts[static_cast<std::size_t>(row * most_ + rank)];
      if (expert == witan::kNoExpert) return;
      const bool enough = sum >= p_;
      sum += probabilities.matrix()(row, expert);
      if (enough) expert = witan::kNoExpert;
    }
  }

  std::int64_t most_;
  float p_;
};

witan::RouterEntry top_p_router() {
  return {
      .name = "top_p",
      .summary = "the fewest experts whose probabilities sum to p",
      .formula = "S = the smallest prefix of the sorted p with sum at least top_p; w_i = p_i",
      .paper = "Huang et al. 2024",
      .causality = "safe",
      .inference_rule = "the same",
      .cost = "E log k per row",
      .options = {{.name = "top_p", .value = 0.5, .help = "Sum to reach", .minimum = 0.0, .maximum = 1.0}},
      .causal_safe = [](const witan::RouterOptions&) { return true; },
      .make = [](const witan::RouterOptions& options, std::int64_t, witan::Random&) -> std::unique_ptr<witan::Router> {
        if (options.num_experts_per_tok > options.num_experts) {
          witan::fail("router.top_p: num_experts_per_tok={} exceeds num_experts={}", options.num_experts_per_tok,
                      options.num_experts);
        }
        const auto p = static_cast<float>(options.router_extra.real("top_p"));
        return std::make_unique<TopPRouter>(options.num_experts_per_tok, p);
      },
  };
}

}  // namespace

int main() {
  witan::add_router(top_p_router());  // from here on it is one of the table: options, docs, layers and models know it

  witan::MoeOptions options;
  options.num_experts = 8;
  options.num_experts_per_tok = 4;  // at the most
  options.moe_intermediate_size = 16;
  options.router_init_scale = 4.0;  // an untrained gate is not sure of anything
  options.router = "top_p";
  options.fields().find("top_p").set("0.7");  // as --top-p 0.7 does

  witan::Random random(/*seed=*/7);
  witan::MoeLayer layer(/*hidden_size=*/8, options, random);
  const witan::Tensor rows = witan::Tensor::uninitialized({10, 8});
  random.fill_normal(rows.values(), 0.0F, 1.0F);

  witan::Tape tape;
  const witan::MoeOutput output = layer.forward(tape, rows, witan::RouterContext{});
  const witan::Assignment& assignment = *output.routing.assignment;
  assignment.validate();
  std::vector<std::int64_t> experts_of_row(10, 0);
  for (const std::int32_t row : assignment.row_indices) ++experts_of_row[static_cast<std::size_t>(row)];
  for (std::size_t row = 0; row < experts_of_row.size(); ++row) {
    fmt::print("row {} goes to {} experts\n", row, experts_of_row[row]);
  }
  const auto [fewest, most] = std::minmax_element(experts_of_row.begin(), experts_of_row.end());
  return *fewest >= 1 && *fewest < *most && *most <= 4 ? 0 : 1;
}
