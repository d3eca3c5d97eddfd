// GShard's top-2: groups of rows, all first choices before all second ones, and a second expert that is asked for only
// when it matters. Its balance loss is load_balance with balance_choices = first.
#include <algorithm>

#include "base/error.h"
#include "base/index.h"
#include "routers/table.h"
#include "routers/token_choice.h"
#include "routers/weighting.h"

namespace witan {
namespace {

constexpr CapacityFactors kGshardCapacity = {1.0, 1.0};  // C = 2 S / E

class GShardRouter final : public Router {
 public:
  GShardRouter(const RouterOptions& options, std::int64_t k)
      : k_(k),
        policy_(options.router_extra.text("second_policy")),
        threshold_(static_cast<float>(options.router_extra.real("second_threshold"))),
        group_size_(options.router_extra.integer("gshard_group_size")),
        skipped_occupies_(options.router_extra.flag("second_skipped_occupies")),
        dropping_(options, capacity_factors(options, kGshardCapacity)) {}

  Routing route(Tape& tape, const Tensor& scores, const RouterContext& context) override {
    Choices choices = choose_top_k(scores, k_, context.row_mask);
    const WeightingRule rule{.weighting = Weighting::kTopKThenSoftmax};  // g1 = p1 / (p1 + p2), also for a lone first
    const Tensor probabilities = routing_probabilities(tape, scores, rule.weighting);
    const Tensor weights = choice_weights(tape, scores, probabilities, choices, rule);
    const ServedSlots taken = serve_groups(choices, weights.values(), context);
    return route_served(tape, choices, weights, probabilities, taken);
  }

 private:
  // Takes the second choices back that the policy skips, and says which of the others find room.
  ServedSlots serve_groups(Choices& choices, std::span<const float> weights, const RouterContext& context) const {
    const PooledVector<char> skipped = skipped_seconds(choices, weights, context);
    ServedSlots served(choices.experts.size(), 0);
    const std::int64_t size = group_size_ > 0 ? group_size_ : std::max<std::int64_t>(choices.num_rows, 1);
    for (std::int64_t begin = 0; begin < choices.num_rows; begin += size) {
      serve_group(choices, skipped, begin, std::min(choices.num_rows, begin + size), context, served);
    }
    for (std::size_t row = 0; row < skipped.size(); ++row) {
      if (skipped[row] != 0) choices.experts[row * 2 + 1] = kNoExpert;
    }
    return served;
  }

  // Algorithm 1 of the paper. What is over capacity may be counted in a slot counter or not: the expert is full.
  void serve_group(const Choices& choices, const PooledVector<char>& skipped, std::int64_t begin, std::int64_t end,
                   const RouterContext& context, ServedSlots& served) const {
    const auto mask =
        context.row_mask.empty() ? context.row_mask : context.row_mask.subspan(index(begin), index(end - begin));
    const std::int64_t capacity =
        dropping_.capacity(count_rows(end - begin, mask), k_, choices.num_experts, context.training);
    PooledVector<std::int64_t> slots(index(choices.num_experts), 0);
    for (std::int64_t rank = 0; rank < k_; ++rank) {
      for (std::int64_t row = begin; row < end; ++row) {
        const std::size_t slot = index(row * k_ + rank);
        const std::int32_t expert = choices.experts[slot];
        if (expert == kNoExpert) continue;
        const bool skip = rank == 1 && skipped[index(row)] != 0;
        if (skip && !skipped_occupies_) continue;
        served[slot] = static_cast<char>(!skip && slots[index(expert)] < capacity);
        ++slots[index(expert)];
      }
    }
  }

  // One flag per row; empty when each row makes one choice.
  PooledVector<char> skipped_seconds(const Choices& choices, std::span<const float> weights,
                                     const RouterContext& context) const {
    if (k_ == 1) return {};
    PooledVector<char> skipped(index(choices.num_rows), 0);
    if (policy_ == "none") std::fill(skipped.begin(), skipped.end(), 1);
    if (policy_ == "none" || policy_ == "all" || !context.training) return skipped;
    PooledVector<float> needed(skipped.size(), threshold_);
    if (policy_ == "random") {
      WITAN_ASSERT(context.random != nullptr);
      context.random->fill_uniform(needed, 0.0F, 0.5F);  // 2 g2 > U
    }
    for (std::size_t row = 0; row < skipped.size(); ++row) {
      skipped[row] = static_cast<char>(weights[row * 2 + 1] <= needed[row]);
    }
    return skipped;
  }

  std::int64_t k_;
  std::string policy_;
  float threshold_;
  std::int64_t group_size_;
  bool skipped_occupies_;
  Dropping dropping_;
};

std::unique_ptr<Router> make_gshard(const RouterOptions& options, std::int64_t /*hidden_size*/, Random& /*random*/) {
  const std::int64_t k = std::min<std::int64_t>(2, options.num_experts);
  if (options.num_experts_per_tok != k) {
    fail("router.gshard: num_experts_per_tok={}, expected {}: each row has a first and a second expert",
         options.num_experts_per_tok, k);
  }
  return std::make_unique<GShardRouter>(options, k);
}

}  // namespace

RouterEntry gshard_router() {
  return {
      .name = "gshard",
      .summary = "each row goes to its best expert and, as second_policy says, to its second, group by group",
      .formula =
          "g1 = p1 / (p1 + p2), g2 = p2 / (p1 + p2); all first choices in row order, then the second ones with "
          "2 g2 > U; C = ceil(2 S capacity_factor / E) in groups of S rows; its paper's loss is "
          "load_balance with balance_choices = first",
      .paper = "Lepikhin et al. 2020, algorithm 1",
      .causality =
          "not safe with a capacity: second choices wait for all first ones; safe with capacity_factor = "
          "eval_capacity_factor = 0 or second_policy = none",
      .inference_rule = "every second choice (none with second_policy = none); eval_capacity_factor (1 by default)",
      .cost = "E per row",
      .fixed_experts_per_tok = 2,
      .options = {{.name = "second_policy",
                   .value = std::string("random"),
                   .help = "Which second choices of the router gshard are asked for in training: those with 2 g2 > "
                           "U with U uniform on (0, 1), those with g2 > second_threshold, all, or none",
                   .choices = {"random", "threshold", "all", "none"}},
                  {.name = "second_threshold",
                   .value = 0.2,
                   .help = "See second_policy = threshold; g2 is 0.5 at the most",
                   .minimum = 0.0,
                   .maximum = 0.5},
                  {.name = "gshard_group_size",
                   .value = std::int64_t{0},
                   .help = "Rows of a group of the router gshard, each with a capacity of its own; 0: the batch is one",
                   .minimum = 0.0,
                   .maximum = 1 << 24},
                  {.name = "second_skipped_occupies",
                   .value = false,
                   .help = "Whether a second choice that the policy skips takes a place of its expert all the same"}},
      .causal_safe =
          [](const RouterOptions& options) {
            return !may_drop(options, kGshardCapacity) || options.router_extra.text("second_policy") == "none";
          },
      .make = make_gshard,
  };
}

}  // namespace witan
