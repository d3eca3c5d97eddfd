// Experts drawn without looking at the row: a baseline for learned routers, and an even load for benchmarks.
#include <algorithm>

#include "base/error.h"
#include "routers/table.h"
#include "routers/token_choice.h"

namespace witan {
namespace {

// k distinct numbers below n, every set equally likely: Floyd's algorithm (Bentley and Floyd 1987).
void draw_distinct(std::int64_t n, std::int64_t k, Random& random, std::int32_t* drawn) {
  for (std::int64_t i = 0; i < k; ++i) {
    const auto last = static_cast<std::int32_t>(n - k + i);
    const auto candidate = static_cast<std::int32_t>(random.below(static_cast<std::uint64_t>(last) + 1));
    drawn[i] = std::find(drawn, drawn + i, candidate) == drawn + i ? candidate : last;
  }
}

class RandomRouter final : public Router {
 public:
  RandomRouter(const RouterOptions& options, Random& random)
      : num_experts_(options.num_experts),
        k_(options.num_experts_per_tok),
        seed_(Tensor::uninitialized({2})),
        dropping_(options, capacity_factors(options, kDropless)) {
    for (float& half : seed_.values()) half = static_cast<float>(random.below(1U << 24U));
  }

  Routing route(Tape& tape, const Tensor& /*scores*/, const RouterContext& context) override {
    WITAN_ASSERT(context.rows != nullptr && (!context.training || context.random != nullptr));
    const std::int64_t rows = context.rows->rows();
    Choices choices{rows, num_experts_, k_, {}};
    choices.experts.resize(static_cast<std::size_t>(choices.num_slots()));
    for (std::int64_t row = 0; row < rows; ++row) {
      std::int32_t* const drawn = choices.experts.data() + row * k_;
      if (context.masked(row)) {
        std::fill_n(drawn, k_, kNoExpert);
      } else if (context.training) {
        draw_distinct(num_experts_, k_, *context.random, drawn);
      } else {
        Random own(seed(), static_cast<std::uint64_t>(context.position(row)));
        draw_distinct(num_experts_, k_, own, drawn);
      }
    }
    const Tensor weights = Tensor::full({rows, k_}, 1.0F / static_cast<float>(k_));
    return route_choices(tape, choices, weights, {}, dropping_.rule(choices, context));
  }

  std::vector<Parameter> buffers() const override { return {{"seed", seed_, false}}; }

 private:
  std::uint64_t seed() const {
    return (static_cast<std::uint64_t>(seed_.values()[0]) << 24U) | static_cast<std::uint64_t>(seed_.values()[1]);
  }

  std::int64_t num_experts_;
  std::int64_t k_;
  Tensor seed_;  // [2], whole numbers below 2^24: of the choices in evaluation
  Dropping dropping_;
};

}  // namespace

RouterEntry random_router() {
  return {
      .name = "random",
      .summary = "k experts drawn afresh for each row of each batch, all sets equally likely",
      .formula = "S uniform among the sets of k experts; w = 1 / k",
      .paper = "Zuo et al. 2021 (THOR); a baseline",
      .causality = "safe: no choice depends on what any row holds",
      .inference_rule = "the draw is fixed by the row's place in its sequence and a saved seed per layer",
      .cost = "k per row",
      .uses_gate = false,
      .causal_safe = [](const RouterOptions& /*options*/) { return true; },
      .make = [](const RouterOptions& options, std::int64_t /*hidden_size*/,
                 Random& random) -> std::unique_ptr<Router> {
        check_choices("random", options, false);
        return std::make_unique<RandomRouter>(options, random);
      },
  };
}

}  // namespace witan
