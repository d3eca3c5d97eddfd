// loss = E * sum_e f_e P_e: f_e the share of choices that went to expert e (no gradient), P_e its mean probability.
// Lepikhin et al. 2020 (section 2.2), Fedus et al. 2021 (equation 4); global batch: Qiu et al. 2025.
#include "balance/load_balance.h"

#include <algorithm>
#include <utility>

#include "autograd/ops/elementwise.h"
#include "balance/choice_counts.h"
#include "balance/table.h"
#include "base/error.h"

namespace witan {
namespace {

std::size_t index(std::int64_t i) { return static_cast<std::size_t>(i); }

// Copies of what the backward pass needs to walk the rows again.
struct RowWeights {
  PooledVector<float> coefficients;  // [sequences, E]
  PooledVector<std::uint8_t> mask;   // as RouterContext::row_mask
  std::int64_t sequence_length;
  std::int64_t num_experts;

  // Null for a masked row: its probabilities may be anything.
  const float* of(std::int64_t row) const {
    if (!mask.empty() && mask[index(row)] == 0) return nullptr;
    return coefficients.data() + (row / sequence_length) * num_experts;
  }
};

// Adds the probabilities of the rows of one sequence, expert by expert. In f32 over a block of rows, then in double:
// the inner loop runs along the row, so that it vectorises and its order is fixed.
void add_rows(const Matrix& probabilities, const RowWeights& weights, std::int64_t begin, std::int64_t end,
              std::span<double> sums) {
  constexpr std::int64_t kBlock = 64;
  PooledVector<float> block(sums.size());
  for (std::int64_t first = begin; first < end; first += kBlock) {
    std::fill(block.begin(), block.end(), 0.0F);
    for (std::int64_t row = first; row < std::min(end, first + kBlock); ++row) {
      if (weights.of(row) == nullptr) continue;
      const float* const p = probabilities.row(row);
      for (std::size_t e = 0; e < block.size(); ++e) block[e] += p[e];
    }
    for (std::size_t e = 0; e < block.size(); ++e) sums[e] += static_cast<double>(block[e]);
  }
}

// sum over layers, rows and experts of weights.of(row)[e] * probabilities[row, e].
Tensor weighted_probabilities(Tape& tape, std::span<const Tensor> layers, RowWeights weights) {
  Tensor y = tape.output({}, layers);
  const std::int64_t rows = layers[0].rows();
  PooledVector<double> sums(index(weights.num_experts));
  double total = 0.0;
  for (std::int64_t begin = 0; begin < rows; begin += weights.sequence_length) {
    const std::int64_t end = std::min(rows, begin + weights.sequence_length);
    std::fill(sums.begin(), sums.end(), 0.0);
    for (const Tensor& layer : layers) add_rows(layer.matrix(), weights, begin, end, sums);
    const float* const coefficients =
        weights.coefficients.data() + (begin / weights.sequence_length) * weights.num_experts;
    for (std::size_t e = 0; e < sums.size(); ++e) total += static_cast<double>(coefficients[e]) * sums[e];
  }
  y.data()[0] = static_cast<float>(total);

  PooledVector<Gradient> gradients;
  for (const Tensor& layer : layers) gradients.push_back(layer.grad());
  tape.record(y, [dy = y.grad(), gradients = std::move(gradients), weights = std::move(weights)] {
    const float given = dy.values()[0];
    for (const Gradient& gradient : gradients) {
      if (!gradient.wanted()) continue;
      gradient.accumulator();
      const Matrix dp = gradient.matrix();
      for (std::int64_t row = 0; row < dp.rows; ++row) {
        const float* const coefficients = weights.of(row);
        if (coefficients == nullptr) continue;
        float* const out = dp.row(row);
        for (std::int64_t e = 0; e < dp.cols; ++e) out[e] += given * coefficients[e];
      }
    }
  });
  return y;
}

BalanceTerm scaled_term(Tape& tape, const Tensor& loss, double coefficient) {
  return {"load_balance", ops::scale(tape, loss, static_cast<float>(coefficient)), loss.item()};
}

class LoadBalance final : public BalanceRule {
 public:
  explicit LoadBalance(const BalanceOptions& options)
      : coefficient_(options.router_aux_loss_coef),
        counting_{options.balance_counts == "before_dropping", options.balance_choices == "first"},
        scale_to_k_(options.balance_scale == "k"),
        per_sequence_(options.balance_scope == "sequence"),
        global_batch_(options.balance_scope == "global_batch") {}

  BalanceTerm term(Tape& tape, const BalanceInput& input) override {
    const Assignment& assignment = *input.routing.assignment;
    const std::span<const std::uint8_t> mask = input.context.row_mask;
    const Sequences sequences(assignment.num_rows, per_sequence_ ? input.context.rows_per_sequence : 0);
    const PooledVector<ChoiceCounts> counts = count_choices(assignment, sequences, counting_, mask);
    const auto filled = std::count_if(counts.begin(), counts.end(), [](const auto& each) { return each.rows > 0.0; });

    RowWeights weights{{}, {mask.begin(), mask.end()}, sequences.length, assignment.num_experts};
    for (const ChoiceCounts& sequence : counts) {
      // The mean over the sequence's rows, then over the sequences that have any.
      const double per_row = 1.0 / std::max(1.0, sequence.rows * static_cast<double>(filled));
      const double scale = scale_to_k_ ? sequence.choices_per_row() : 1.0;
      for (const double load : balanced_over(sequence, input.context).relative_load()) {
        weights.coefficients.push_back(static_cast<float>(load * scale * per_row));
      }
    }
    const Tensor loss = weighted_probabilities(tape, {&input.routing.probabilities, 1}, std::move(weights));
    return scaled_term(tape, loss, coefficient_);
  }

 private:
  // The counts that f is taken from.
  const ChoiceCounts& balanced_over(const ChoiceCounts& counts, const RouterContext& context) {
    if (!global_batch_ || !context.training) return counts;
    if (context.micro_batch == 0) step_ = {};
    step_.add(counts);
    return step_;
  }

  double coefficient_;
  CountRule counting_;
  bool scale_to_k_;
  bool per_sequence_;
  bool global_batch_;
  ChoiceCounts step_;  // of the optimizer step so far
};

}  // namespace

BalanceTerm pooled_load_balance(Tape& tape, const BalanceOptions& options, std::span<const Routing> routings,
                                const RouterContext& context) {
  WITAN_ASSERT(!routings.empty());
  ChoiceCounts pooled;
  PooledVector<Tensor> probabilities;
  const Sequences all(routings[0].assignment->num_rows, 0);
  for (const Routing& routing : routings) {
    for (const ChoiceCounts& counts : count_choices(*routing.assignment, all, {}, context.row_mask)) pooled.add(counts);
    probabilities.push_back(routing.probabilities);
  }
  RowWeights weights{
      {}, {context.row_mask.begin(), context.row_mask.end()}, all.length, routings[0].assignment->num_experts};
  const double per_row = pooled.choices_per_row() / std::max(1.0, pooled.rows);
  for (const double load : pooled.relative_load()) weights.coefficients.push_back(static_cast<float>(load * per_row));
  return scaled_term(tape, weighted_probabilities(tape, probabilities, std::move(weights)),
                     options.router_aux_loss_coef);
}

BalanceEntry load_balance_balance() {
  return {
      .name = "load_balance",
      .summary = "share of the choices times mean probability, summed over experts",
      .formula =
          "E sum_e f_e P_e; f_e: share of the choices (balance_counts, balance_choices), no gradient; P_e: mean "
          "probability",
      .paper = "Lepikhin et al. 2020; Fedus et al. 2021; global batch: Qiu et al. 2025",
      .balanced_value = "1, or k with balance_scale = k or balance_hf_compatible",
      .options = {},
      .at_balance = [](const BalanceOptions& options, std::int64_t, std::int64_t k) -> double {
        return options.balance_scale == "k" ? static_cast<double>(k) : 1.0;
      },
      .make = [](const BalanceOptions& options) -> std::unique_ptr<BalanceRule> {
        // The Hugging Face form spans layers: combine_balance adds it.
        if (options.router_aux_loss_coef == 0.0 || options.balance_hf_compatible) return nullptr;
        return std::make_unique<LoadBalance>(options);
      },
  };
}

}  // namespace witan
