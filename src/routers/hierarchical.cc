// Two levels of noisy top-k: a primary gate chooses groups of experts, the layer's gate the experts within them. A
// weight is the product of both levels'. The importance loss over these products is the balance rule `importance`.
#include <algorithm>
#include <cmath>
#include <utility>

#include "autograd/ops/elementwise.h"
#include "autograd/ops/linear.h"
#include "autograd/ops/softmax.h"
#include "autograd/ops/variation.h"
#include "base/error.h"
#include "base/index.h"
#include "base/parallel.h"
#include "kernels/select.h"
#include "routers/groups.h"
#include "routers/row_grain.h"
#include "routers/score_noise.h"
#include "routers/smooth_load.h"
#include "routers/table.h"
#include "routers/token_choice.h"
#include "routers/weighting.h"

namespace witan {
namespace {

constexpr std::int64_t kSlotGrain = 8192;  // elements that pay for another thread
constexpr WeightingRule kSoftmaxOverChoices{.weighting = Weighting::kTopKThenSoftmax};

// Element i of a result is a[first] * b[second]; first = -1: 0.
struct Factors {
  std::int64_t first = -1;
  std::int64_t second = -1;
};

Tensor products(Tape& tape, const Tensor& a, const Tensor& b, PooledVector<Factors> factors, Shape shape) {
  WITAN_ASSERT(shape.numel() == static_cast<std::int64_t>(factors.size()));
  Tensor y = tape.output(shape, {&a, &b});
  parallel_for(y.numel(), kSlotGrain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      const Factors& of = factors[index(i)];
      y.data()[i] = of.first < 0 ? 0.0F : a.data()[of.first] * b.data()[of.second];
    }
  });
  tape.record(y, [dy = y.grad(), da = a.grad(), db = b.grad(), a = a.detached(), b = b.detached(),
                  factors = std::move(factors)] {
    const std::span<float> to_a = da.wanted() ? da.accumulator() : std::span<float>();
    const std::span<float> to_b = db.wanted() ? db.accumulator() : std::span<float>();
    for (std::size_t i = 0; i < factors.size(); ++i) {
      const Factors& of = factors[i];
      if (of.first < 0) continue;
      if (!to_a.empty()) to_a[index(of.first)] += dy.values()[i] * b.data()[of.second];
      if (!to_b.empty()) to_b[index(of.second)] += dy.values()[i] * a.data()[of.first];
    }
  });
  return y;
}

// The k largest finite scores of each row; a row of nothing but -inf chooses nobody.
Choices finite_top_k(const Tensor& scores, std::int64_t k) {
  Choices choices{scores.rows(), scores.cols(), k, {}};
  choices.experts.resize(index(choices.num_slots()));
  const std::int64_t nan_row = kernels::top_k(scores.matrix(), k, choices.experts);
  WITAN_ASSERT(nan_row < 0);  // check_scores has seen them, and noise is finite
  parallel_for(choices.num_slots(), kSlotGrain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t slot = begin; slot < end; ++slot) {
      std::int32_t& expert = choices.experts[index(slot)];
      if (!std::isfinite(scores.matrix()(slot / k, expert))) expert = kNoExpert;
    }
  });
  return choices;
}

// Softmax of each row -> like scores, 0 for a row of nothing but -inf (a whole group that is switched off).
Tensor softmax_or_zero(Tape& tape, const Tensor& scores) {
  if (std::ranges::all_of(scores.values(), [](float score) { return std::isfinite(score); })) {
    return ops::softmax(tape, scores);
  }
  Choices all{scores.rows(), scores.cols(), scores.cols(), {}};
  all.experts.assign(index(all.num_slots()), kNoExpert);
  PooledVector<Factors> places(all.experts.size());
  for (std::int64_t row = 0; row < scores.rows(); ++row) {
    std::int64_t next = row * scores.cols();
    for (std::int32_t e = 0; e < scores.cols(); ++e) {
      if (!std::isfinite(scores.matrix()(row, e))) continue;
      places[index(row * scores.cols() + e)] = {0, next};
      all.experts[index(next++)] = e;
    }
  }
  const Tensor packed = choice_weights(tape, scores, scores, all, kSoftmaxOverChoices);
  return products(tape, Tensor::scalar(1.0F), packed, std::move(places), scores.shape());
}

// Each group's probability [T, G] times those within it [T G, S] -> [T, G S].
Tensor grouped_products(Tape& tape, const Tensor& of_group, const Tensor& within) {
  const std::int64_t size = within.cols();
  WITAN_ASSERT(within.rows() == of_group.numel());
  Tensor y = tape.output({of_group.rows(), of_group.cols() * size}, {&of_group, &within});
  parallel_for(within.rows(), kRowGrain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin * size; i < end * size; ++i) y.data()[i] = of_group.data()[i / size] * within.data()[i];
  });
  tape.record(y, [dy = y.grad(), dgroup = of_group.grad(), dwithin = within.grad(), of_group = of_group.detached(),
                  within = within.detached(), size] {
    const std::span<float> to_group = dgroup.wanted() ? dgroup.accumulator() : std::span<float>();
    const std::span<float> to_within = dwithin.wanted() ? dwithin.accumulator() : std::span<float>();
    parallel_for(within.rows(), kRowGrain, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t row = begin; row < end; ++row) {
        for (std::int64_t i = row * size; i < (row + 1) * size; ++i) {
          const float upstream = dy.values()[index(i)];
          if (!to_group.empty()) to_group[index(row)] += upstream * within.data()[i];
          if (!to_within.empty()) to_within[index(i)] += upstream * of_group.data()[row];
        }
      }
    });
  });
  return y;
}

class HierarchicalRouter final : public Router {
 public:
  HierarchicalRouter(const RouterOptions& options, const Groups& groups, std::int64_t hidden_size, Random& random)
      : groups_(groups),
        group_size_(options.num_experts / groups.count),
        k_within_(options.num_experts_per_tok / groups.per_row),
        load_coefficient_(options.router_extra.real("noisy_load_coef")),
        weight_(Tensor::uninitialized({groups.count, hidden_size})),
        primary_noise_(options, groups.count, hidden_size),
        noise_(options, options.num_experts, hidden_size),
        dropping_(options, capacity_factors(options, kDropless)) {
    random.fill_truncated_normal(weight_.values(),
                                 static_cast<float>(std::sqrt(0.1 / static_cast<double>(hidden_size))));
    weight_.set_requires_grad(true);
  }

  Routing route(Tape& tape, const Tensor& scores, const RouterContext& context) override {
    check_scores(scores);
    WITAN_ASSERT(context.rows != nullptr);
    const std::int64_t rows = scores.rows();
    const Tensor primary = ops::linear(tape, *context.rows, weight_);
    const NoisyScores noisy_primary = primary_noise_.add(tape, primary, context);
    const NoisyScores noisy = noise_.add(tape, scores, context);
    // From here on a row of the second level is one row in one group.
    const Shape by_group{rows * groups_.count, group_size_};
    const Tensor clean_within = scores.reshaped(by_group);
    const NoisyScores within{noisy.scores.reshaped(by_group),
                             noisy.deviations.defined() ? noisy.deviations.reshaped(by_group) : Tensor()};

    const Choices chosen_groups = choose_top_k(noisy_primary.scores, groups_.per_row, context.row_mask);
    const Choices chosen_within = finite_top_k(within.scores, k_within_);
    const Tensor group_weights =
        choice_weights(tape, noisy_primary.scores, noisy_primary.scores, chosen_groups, kSoftmaxOverChoices);
    const Tensor within_weights =
        choice_weights(tape, within.scores, within.scores, chosen_within, kSoftmaxOverChoices);

    auto [choices, factors] = combined(chosen_groups, chosen_within, group_weights, within_weights);
    const DropRule drop = dropping_.rule(choices, context);
    const Shape shape{rows, choices.experts_per_row};
    const Tensor weights = products(tape, group_weights, within_weights, std::move(factors), shape);
    Routing routing = route_choices(tape, choices, weights, probabilities(tape, primary, clean_within), drop);
    if (load_coefficient_ > 0.0) {
      const Tensor load = two_level_load(tape, primary, noisy_primary, clean_within, within, chosen_groups, context);
      const Tensor loss = ops::squared_variation(tape, load);
      routing.terms.push_back(
          {"noisy_load", ops::scale(tape, loss, static_cast<float>(load_coefficient_)), loss.item()});
    }
    return routing;
  }

  std::vector<Parameter> parameters() const override {
    std::vector<Parameter> all = {{"primary.weight", weight_, true}};
    for (const auto& [noise, name] : {std::pair{&primary_noise_, "primary.noise.weight"}, {&noise_, "noise.weight"}}) {
      for (Parameter& parameter : noise->parameters(name)) all.push_back(std::move(parameter));
    }
    return all;
  }

 private:
  struct Combined {
    Choices choices;
    PooledVector<Factors> factors;  // of each slot's weight
  };

  // The choices of both levels as choices of experts, each row's by descending weight.
  Combined combined(const Choices& groups, const Choices& within, const Tensor& group_weights,
                    const Tensor& within_weights) const {
    struct Slot {
      std::int32_t expert;
      Factors of;
      float weight;
    };
    const std::int64_t width = groups_.per_row * k_within_;
    Combined result{{groups.num_rows, groups_.count * group_size_, width, {}}, {}};
    result.choices.experts.assign(index(groups.num_rows * width), kNoExpert);
    result.factors.assign(result.choices.experts.size(), {});
    parallel_for(groups.num_rows, kRowGrain, [&](std::int64_t begin, std::int64_t end) {
      PooledVector<Slot> slots;
      for (std::int64_t row = begin; row < end; ++row) {
        slots.clear();
        for (std::int64_t i = row * groups_.per_row; i < (row + 1) * groups_.per_row; ++i) {
          const std::int32_t group = groups.experts[index(i)];
          if (group == kNoExpert) continue;
          const std::int64_t first = (row * groups_.count + group) * k_within_;
          for (std::int64_t j = first; j < first + k_within_; ++j) {
            const std::int32_t expert = within.experts[index(j)];
            if (expert == kNoExpert) continue;
            slots.push_back({static_cast<std::int32_t>(group * group_size_) + expert,
                             {i, j},
                             group_weights.data()[i] * within_weights.data()[j]});
          }
        }
        std::stable_sort(slots.begin(), slots.end(), [](const Slot& a, const Slot& b) { return a.weight > b.weight; });
        for (std::size_t s = 0; s < slots.size(); ++s) {
          result.choices.experts[index(row * width) + s] = slots[s].expert;
          result.factors[index(row * width) + s] = slots[s].of;
        }
      }
    });
    return result;
  }

  // p of the group times p within it, without noise: [T, E].
  Tensor probabilities(Tape& tape, const Tensor& primary, const Tensor& clean_within) const {
    const Tensor of_group = routing_probabilities(tape, primary, Weighting::kTopKThenSoftmax);
    const Tensor of_expert = softmax_or_zero(tape, clean_within);
    return grouped_products(tape, of_group, of_expert);
  }

  // Load_ij = Load_i Load_ij(rows of group i) / |rows of group i|: [E].
  Tensor two_level_load(Tape& tape, const Tensor& primary, const NoisyScores& noisy_primary, const Tensor& clean_within,
                        const NoisyScores& within, const Choices& chosen_groups, const RouterContext& context) const {
    PooledVector<std::uint8_t> counts(index(within.scores.rows()), 0);
    PooledVector<float> rows_of(index(groups_.count), 0.0F);
    for (std::size_t slot = 0; slot < chosen_groups.experts.size(); ++slot) {
      const std::int32_t group = chosen_groups.experts[slot];
      if (group == kNoExpert) continue;
      counts[slot / index(groups_.per_row) * index(groups_.count) + index(group)] = 1;
      rows_of[index(group)] += 1.0F;
    }
    const Tensor of_group = smooth_load(tape, primary, noisy_primary, groups_.per_row, context.row_mask);
    const Tensor of_expert = smooth_load(tape, clean_within, within, k_within_, counts, groups_.count);
    const Tensor shares = Tensor::uninitialized(of_expert.shape());
    PooledVector<Factors> factors(index(of_expert.numel()));
    for (std::int64_t i = 0; i < of_expert.numel(); ++i) {
      shares.data()[i] = 1.0F / std::max(1.0F, rows_of[index(i / group_size_)]);
      factors[index(i)] = {i / group_size_, i};
    }
    return products(tape, of_group, ops::multiply(tape, of_expert, shares), std::move(factors), {of_expert.numel()});
  }

  Groups groups_;
  std::int64_t group_size_;
  std::int64_t k_within_;
  double load_coefficient_;
  Tensor weight_;  // [n_group, D], the primary gate
  ScoreNoise primary_noise_;
  ScoreNoise noise_;
  Dropping dropping_;
};

std::unique_ptr<Router> make_hierarchical(const RouterOptions& options, std::int64_t hidden_size, Random& random) {
  check_choices("hierarchical", options, true);
  const Groups groups = checked_groups("hierarchical", options);
  const std::int64_t k = options.num_experts_per_tok;
  if (k % groups.per_row != 0) {
    fail(
        "router.hierarchical: topk_group={} does not divide num_experts_per_tok={}: each chosen group serves a row "
        "with as many experts",
        groups.per_row, k);
  }
  if ((groups.per_row == 1 && groups.count > 1) || (k == groups.per_row && options.num_experts > groups.count)) {
    fail(
        "router.hierarchical: with topk_group={} of n_group={} groups and {} of {} experts within a group, the weight "
        "of a lone choice is divided by itself and its level gets no gradient; expected at least two choices at each "
        "level",
        groups.per_row, groups.count, k / groups.per_row, options.num_experts / groups.count);
  }
  return std::make_unique<HierarchicalRouter>(options, groups, hidden_size, random);
}

}  // namespace

RouterEntry hierarchical_router() {
  std::vector<ExtraOption> extra = noise_options();
  for (const ExtraOption& option : group_options()) extra.push_back(option);
  extra.push_back(noisy_load_option());
  return {
      .name = "hierarchical",
      .summary = "noisy top-k among n_group groups, then among the experts of each of the topk_group chosen ones",
      .formula =
          "w_ij = Gp_i G_ij, both softmax over the chosen of noisy scores, Gp of a gate of the router's own, k / "
          "topk_group experts per group; loss noisy_load_coef CV^2(Load_i Load_ij(X_i) / rows of X_i)",
      .paper = "Shazeer et al. 2017, appendix B",
      .causality = "safe; not with a capacity and a drop_policy that serves later rows first",
      .inference_rule = "without noise; dropless unless eval_capacity_factor is set",
      .cost = "2 D n_group for the primary gate, 2 D (E + n_group) for the noise, E log k",
      .options = extra,
      .causal_safe = [](const RouterOptions& options) { return drops_causally(options, kDropless); },
      .make = make_hierarchical,
  };
}

}  // namespace witan
