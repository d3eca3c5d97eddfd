// BASE layers: in training every expert gets the same number of rows, in the assignment of the largest total score.
#include <algorithm>

#include "autograd/ops/elementwise.h"
#include "autograd/ops/softmax.h"
#include "base/error.h"
#include "kernels/elementwise.h"
#include "routers/auction.h"
#include "routers/global_choice.h"
#include "routers/table.h"
#include "routers/weighting.h"

namespace witan {
namespace {

// A bid costs about as much as a row of the gate; trained gates need ten to fifty per row.
constexpr std::int64_t kMostBidsPerRow = 1000;

// Prices are f32: a rise below this share of the largest benefit could be lost in rounding, and the auction would
// never end.
constexpr float kLeastRelativeRise = 0x1p-18F;

class BaseRouter final : public Router {
 public:
  explicit BaseRouter(double epsilon) : epsilon_(epsilon) {}

  Routing route(Tape& tape, const Tensor& scores, const RouterContext& context) override {
    const Choices choices = context.training ? balanced(scores, context) : choose_top_k(scores, 1, context.row_mask);
    const Tensor probabilities = ops::softmax(tape, scores);
    const Tensor alpha = raw_weights(tape, scores, probabilities, choices);
    Routing routing = route_choices(tape, choices, alpha, probabilities, {});
    // One expert in all leaves nothing to route: the layer is the plain network.
    if (scores.cols() > 1) routing.identity_weights = rest(tape, alpha, choices);
    return routing;
  }

 private:
  Choices balanced(const Tensor& scores, const RouterContext& context) const {
    const Benefits benefits = row_benefits(scores, context);
    const std::span<const float> values = benefits.values.values();
    // Relative to how much experts differ for a row on average: the same for scores of any size.
    const double mean = kernels::sum(values) / std::max(1.0, static_cast<double>(values.size()));
    const float least = values.empty() ? 0.0F : *std::ranges::min_element(values);
    const AuctionOptions options{
        .epsilon = std::max({static_cast<float>(-mean * epsilon_), -least * kLeastRelativeRise, 1e-30F}),
        .max_bids = kMostBidsPerRow * std::max<std::int64_t>(1, benefits.values.rows())};
    const AuctionResult result =
        auction(benefits.values.matrix(), even_capacities(benefits.favourite, scores.cols()), options);
    return spread_choices(benefits, result.experts, scores.rows(), 1);
  }

  // 1 - alpha [T, 1] -> [T]; 0 for a row without an expert.
  static Tensor rest(Tape& tape, const Tensor& alpha, const Choices& choices) {
    Tensor y = tape.output({alpha.rows()}, {&alpha});
    for (std::size_t row = 0; row < y.values().size(); ++row) {
      y.values()[row] = choices.experts[row] == kNoExpert ? 0.0F : 1.0F - alpha.values()[row];
    }
    tape.record(y, [dy = y.grad(), da = alpha.grad(), experts = choices.experts] {
      const std::span<float> sum = da.accumulator();
      for (std::size_t row = 0; row < sum.size(); ++row) {
        if (experts[row] != kNoExpert) sum[row] -= dy.values()[row];
      }
    });
    return y;
  }

  double epsilon_;
};

std::unique_ptr<Router> make_base(const RouterOptions& options, std::int64_t /*hidden_size*/, Random& /*random*/) {
  check_choices("base", options, false);
  if (options.num_experts_per_tok != 1) {
    fail("router.base: num_experts_per_tok={}, expected 1: this router sends each row to one expert",
         options.num_experts_per_tok);
  }
  return std::make_unique<BaseRouter>(options.router_extra.real("base_epsilon"));
}

}  // namespace

RouterEntry base_router() {
  return {
      .name = "base",
      .summary = "rows are shared out evenly in training, in the assignment of the largest total score, by auction",
      .formula =
          "max sum_t h_t,a(t), floor(T / E) or ceil(T / E) rows per expert; y = s f(x) + (1 - s) x, s = "
          "sigmoid(h_a)",
      .paper = "Lewis et al. 2021 (BASE layers); auction: Bertsekas and Castanon 1989",
      .causality = "not safe: in training the rows of a batch compete for the experts",
      .inference_rule = "each row to the expert of its largest score, dropless",
      .cost = "some ten to fifty E per row, over the whole batch",
      .fixed_experts_per_tok = 1,
      .options = {{.name = "base_epsilon",
                   .value = 0.02,
                   .help = "Least bid of the auction, over the mean difference between a row's best score and its "
                           "others: the total is within T times that of the largest",
                   .minimum = 1e-4,
                   .maximum = 1.0}},
      .causal_safe = [](const RouterOptions& /*options*/) { return false; },
      .make = make_base,
  };
}

}  // namespace witan
