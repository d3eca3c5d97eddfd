// Experts in turn: a load as even as it can be, whatever the rows hold. For benchmarks, and a baseline.
#include <algorithm>

#include "base/error.h"
#include "routers/table.h"
#include "routers/token_choice.h"

namespace witan {
namespace {

class UniformRouter final : public Router {
 public:
  explicit UniformRouter(const RouterOptions& options)
      : num_experts_(options.num_experts),
        k_(options.num_experts_per_tok),
        dropping_(options, capacity_factors(options, kDropless)) {}

  Routing route(Tape& tape, const Tensor& /*scores*/, const RouterContext& context) override {
    WITAN_ASSERT(context.rows != nullptr);
    const std::int64_t rows = context.rows->rows();
    Choices choices{rows, num_experts_, k_, {}};
    choices.experts.resize(static_cast<std::size_t>(choices.num_slots()));
    for (std::int64_t row = 0; row < rows; ++row) {
      for (std::int64_t n = 0; n < k_; ++n) {
        const std::int64_t turn = (context.position(row) * k_ + n) % num_experts_;
        choices.experts[static_cast<std::size_t>(row * k_ + n)] =
            context.masked(row) ? kNoExpert : static_cast<std::int32_t>(turn);
      }
    }
    const Tensor weights = Tensor::full({rows, k_}, 1.0F / static_cast<float>(k_));
    return route_choices(tape, choices, weights, {}, dropping_.rule(choices, context));
  }

 private:
  std::int64_t num_experts_;
  std::int64_t k_;
  Dropping dropping_;
};

}  // namespace

RouterEntry uniform_router() {
  return {
      .name = "uniform",
      .summary = "experts in turn along the sequence, the same load for all",
      .formula = "S = {(k t + n) mod E}, n < k, t the row's place in its sequence; w = 1 / k",
      .paper = "round robin; a baseline",
      .causality = "safe: no choice depends on what any row holds",
      .inference_rule = "the same",
      .cost = "k per row",
      .uses_gate = false,
      .causal_safe = [](const RouterOptions& /*options*/) { return true; },
      .make = [](const RouterOptions& options, std::int64_t /*hidden_size*/,
                 Random& /*random*/) -> std::unique_ptr<Router> {
        check_choices("uniform", options, false);
        return std::make_unique<UniformRouter>(options);
      },
  };
}

}  // namespace witan
