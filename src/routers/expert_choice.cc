// Expert choice: in training the experts choose rows, so that every load is the same and rows get as many experts as
// want them.
#include <algorithm>

#include "autograd/ops/softmax.h"
#include "base/error.h"
#include "base/index.h"
#include "base/parallel.h"
#include "kernels/softmax.h"
#include "routers/step_average.h"
#include "routers/table.h"
#include "routers/token_choice.h"
#include "routers/weighting.h"

namespace witan {
namespace {

struct Pair {
  std::int32_t row;
  std::int32_t expert;
  float probability;
};

// By probability, the lowest row and then the lowest expert among equals.
bool better(const Pair& a, const Pair& b) {
  if (a.probability != b.probability) return a.probability > b.probability;
  return a.row != b.row ? a.row < b.row : a.expert < b.expert;
}

using Rows = std::span<const std::int32_t>;

// Each expert's `capacity` best of `rows`, expert by expert, the last of each being its worst.
PooledVector<Pair> best_rows(ConstMatrix probabilities, Rows rows, std::int64_t capacity) {
  PooledVector<Pair> chosen(index(probabilities.cols * capacity));
  parallel_for(probabilities.cols, 1, [&](std::int64_t begin, std::int64_t end) {
    PooledVector<Pair> column(rows.size());
    for (std::int64_t e = begin; e < end; ++e) {
      std::ranges::transform(rows, column.begin(), [&](std::int32_t row) {
        return Pair{row, static_cast<std::int32_t>(e), probabilities(row, e)};
      });
      std::nth_element(column.begin(), column.begin() + capacity - 1, column.end(), better);
      std::copy_n(column.begin(), capacity, chosen.begin() + e * capacity);
    }
  });
  return chosen;
}

// The best pairs first, as long as their expert has room and their row fewer than `most` experts.
PooledVector<Pair> best_pairs(ConstMatrix probabilities, Rows rows, std::int64_t capacity, std::int64_t most) {
  PooledVector<Pair> pairs;
  pairs.reserve(rows.size() * index(probabilities.cols));
  for (const std::int32_t row : rows) {
    for (std::int32_t e = 0; e < probabilities.cols; ++e) pairs.push_back({row, e, probabilities(row, e)});
  }
  std::sort(pairs.begin(), pairs.end(), better);
  PooledVector<std::int64_t> load(index(probabilities.cols), 0);
  PooledVector<std::int64_t> experts(index(probabilities.rows), 0);
  std::erase_if(pairs, [&](const Pair& pair) {
    if (load[index(pair.expert)] == capacity || experts[index(pair.row)] == most) return true;
    ++load[index(pair.expert)];
    ++experts[index(pair.row)];
    return false;
  });
  return pairs;
}

// Row by row, best first. At least one slot per row, which may be empty.
Choices as_choices(PooledVector<Pair> pairs, std::int64_t num_rows, std::int64_t num_experts) {
  PooledVector<std::int64_t> counts(index(num_rows), 0);
  for (const Pair& pair : pairs) ++counts[index(pair.row)];
  const std::int64_t widest = counts.empty() ? 0 : *std::ranges::max_element(counts);
  Choices choices{num_rows, num_experts, std::max<std::int64_t>(1, widest), {}};
  choices.experts.resize(index(choices.num_slots()), kNoExpert);
  std::sort(pairs.begin(), pairs.end(), better);
  std::ranges::fill(counts, 0);
  for (const Pair& pair : pairs) {
    choices.experts[index(pair.row * choices.experts_per_row + counts[index(pair.row)]++)] = pair.expert;
  }
  return choices;
}

class ExpertChoiceRouter final : public Router {
 public:
  explicit ExpertChoiceRouter(const RouterOptions& options)
      : k_(options.num_experts_per_tok),
        most_(options.router_extra.integer("expert_choice_cap")),
        per_sequence_(options.router_extra.text("expert_choice_scope") == "sequence"),
        inference_(options.router_extra.text("expert_choice_inference")),
        thresholds_(options.num_experts) {}

  Routing route(Tape& tape, const Tensor& scores, const RouterContext& context) override {
    check_scores(scores);
    const Tensor probabilities = ops::softmax(tape, scores);
    Choices choices;
    if (context.training || inference_ == "expert_choice") {
      choices = chosen_by_experts(probabilities, context);
    } else if (inference_ == "threshold" && !thresholds_.empty()) {
      choices = above_thresholds(probabilities, context);
    } else {
      choices = choose_top_k(scores, k_, context.row_mask);
    }
    const Tensor weights =
        choice_weights(tape, scores, probabilities, choices, {.weighting = Weighting::kSoftmaxThenTopK});
    return route_choices(tape, choices, weights, probabilities, {});
  }

  std::vector<Parameter> buffers() const override { return thresholds_.buffers("thresholds"); }
  void after_step(std::span<const std::int64_t> /*requested_rows*/) override { thresholds_.after_step(); }

 private:
  Choices chosen_by_experts(const Tensor& probabilities, const RouterContext& context) {
    const std::int64_t rows = probabilities.rows();
    const bool sequences = per_sequence_ && context.rows_per_sequence > 0;
    const std::int64_t length = sequences ? context.rows_per_sequence : std::max<std::int64_t>(1, rows);
    PooledVector<Pair> all;
    PooledVector<std::int32_t> scope;
    for (std::int64_t begin = 0; begin < rows; begin += length) {
      scope.clear();
      for (std::int64_t row = begin; row < std::min(rows, begin + length); ++row) {
        if (!context.masked(row)) scope.push_back(static_cast<std::int32_t>(row));
      }
      if (scope.empty()) continue;
      const PooledVector<Pair> pairs = choose(probabilities, scope, context.training);
      all.insert(all.end(), pairs.begin(), pairs.end());
    }
    return as_choices(std::move(all), rows, probabilities.cols());
  }

  PooledVector<Pair> choose(const Tensor& probabilities, Rows rows, bool training) {
    const std::int64_t experts = probabilities.cols();
    const auto count = static_cast<std::int64_t>(rows.size());
    const std::int64_t capacity = std::max<std::int64_t>(1, (2 * count * k_ + experts) / (2 * experts));  // rounded
    if (most_ > 0) {
      PooledVector<Pair> pairs = best_pairs(probabilities.matrix(), rows, capacity, most_);
      if (training) observe(pairs, experts);
      return pairs;
    }
    PooledVector<Pair> pairs = best_rows(probabilities.matrix(), rows, capacity);
    if (training) observe(pairs, experts);
    return pairs;
  }

  // The least probability at which each expert took a row.
  void observe(const PooledVector<Pair>& pairs, std::int64_t experts) {
    PooledVector<float> least(index(experts), 1.0F);
    for (const Pair& pair : pairs) {
      least[index(pair.expert)] = std::min(least[index(pair.expert)], pair.probability);
    }
    thresholds_.observe(least);
  }

  Choices above_thresholds(const Tensor& probabilities, const RouterContext& context) const {
    PooledVector<Pair> all;
    PooledVector<Pair> row_pairs;
    for (std::int32_t row = 0; row < probabilities.rows(); ++row) {
      if (context.masked(row)) continue;
      row_pairs.clear();
      for (std::int32_t e = 0; e < probabilities.cols(); ++e) {
        const float probability = probabilities.matrix()(row, e);
        if (probability >= thresholds_.values()[index(e)]) row_pairs.push_back({row, e, probability});
      }
      if (most_ > 0 && static_cast<std::int64_t>(row_pairs.size()) > most_) {
        std::sort(row_pairs.begin(), row_pairs.end(), better);
        row_pairs.resize(index(most_));
      }
      all.insert(all.end(), row_pairs.begin(), row_pairs.end());
    }
    return as_choices(std::move(all), probabilities.rows(), probabilities.cols());
  }

  std::int64_t k_;
  std::int64_t most_;  // experts per row; 0: any number
  bool per_sequence_;
  std::string inference_;
  StepAverage thresholds_;
};

std::unique_ptr<Router> make_expert_choice(const RouterOptions& options, std::int64_t /*hidden_size*/,
                                           Random& /*random*/) {
  check_choices("expert_choice", options, false);
  const std::int64_t cap = options.router_extra.integer("expert_choice_cap");
  if (cap > 0 && cap < options.num_experts_per_tok) {
    fail("router.expert_choice: expert_choice_cap={} is below num_experts_per_tok={}, the mean it caps", cap,
         options.num_experts_per_tok);
  }
  return std::make_unique<ExpertChoiceRouter>(options);
}

}  // namespace

RouterEntry expert_choice_router() {
  return {
      .name = "expert_choice",
      .summary = "in training each expert takes the rows that are likeliest its own, k per row on average",
      .formula = "expert e takes the round(T k / E) rows of the largest p_e; w = p_e, not renormalised",
      .paper = "Zhou et al. 2022; capped: pairs by falling p instead of their linear program",
      .causality = "not safe: in training the rows of a batch compete for the experts",
      .inference_rule =
          "expert_choice_inference: the k largest scores; or all experts whose p exceeds the mean cut of "
          "about the last ten steps, saved; or as in training",
      .cost = "about 10 E per row; capped: a sort of all T E pairs",
      .options = {{.name = "expert_choice_scope",
                   .value = std::string("batch"),
                   .help = "Rows among which experts choose",
                   .choices = {"batch", "sequence"}},
                  {.name = "expert_choice_cap",
                   .value = std::int64_t{0},
                   .help = "Most experts that may choose one row; 0: any number",
                   .minimum = 0,
                   .maximum = 1 << 20},
                  {.name = "expert_choice_inference",
                   .value = std::string("top_k"),
                   .help = "Who is chosen in evaluation and generation, where later rows must not matter",
                   .choices = {"top_k", "threshold", "expert_choice"}}},
      .causal_safe = [](const RouterOptions& /*options*/) { return false; },
      .make = make_expert_choice,
  };
}

}  // namespace witan
