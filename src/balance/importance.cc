// The importance loss: the squared coefficient of variation of the total weight that each expert got.

#include "autograd/ops/elementwise.h"
#include "autograd/ops/variation.h"
#include "balance/table.h"
#include "base/index.h"

namespace witan {
namespace {

// combine_weights [num_assigned] -> [E], the sum of each expert's entries.
Tensor weight_sums(Tape& tape, const Tensor& combine_weights, const std::shared_ptr<const Assignment>& assignment) {
  Tensor y = tape.output({assignment->num_experts}, {&combine_weights});
  for (std::int64_t e = 0; e < assignment->num_experts; ++e) {
    double sum = 0.0;
    for (std::int64_t i = assignment->expert_offsets[index(e)]; i < assignment->expert_offsets[index(e + 1)]; ++i) {
      sum += static_cast<double>(combine_weights.data()[i]);
    }
    y.data()[e] = static_cast<float>(sum);
  }
  tape.record(y, [dy = y.grad(), dw = combine_weights.grad(), assignment] {
    const std::span<float> sum = dw.accumulator();
    for (std::int64_t e = 0; e < assignment->num_experts; ++e) {
      for (std::int64_t i = assignment->expert_offsets[index(e)]; i < assignment->expert_offsets[index(e + 1)]; ++i) {
        sum[index(i)] += dy.values()[index(e)];
      }
    }
  });
  return y;
}

// probabilities [T, E] -> [E], the sum over the rows that are not masked.
Tensor probability_sums(Tape& tape, const Tensor& probabilities, std::span<const std::uint8_t> row_mask) {
  const PooledVector<std::uint8_t> mask(row_mask.begin(), row_mask.end());
  const auto counts = [](const PooledVector<std::uint8_t>& rows, std::int64_t row) {
    return rows.empty() || rows[index(row)] != 0;
  };
  PooledVector<double> sums(index(probabilities.cols()), 0.0);
  for (std::int64_t row = 0; row < probabilities.rows(); ++row) {
    if (!counts(mask, row)) continue;
    for (std::size_t e = 0; e < sums.size(); ++e) {
      sums[e] += static_cast<double>(probabilities.matrix().row(row)[e]);
    }
  }
  Tensor y = tape.output({probabilities.cols()}, {&probabilities});
  for (std::size_t e = 0; e < sums.size(); ++e) y.values()[e] = static_cast<float>(sums[e]);
  tape.record(y, [dy = y.grad(), dp = probabilities.grad(), mask, counts] {
    dp.accumulator();
    for (std::int64_t row = 0; row < dp.matrix().rows; ++row) {
      if (!counts(mask, row)) continue;
      float* const out = dp.matrix().row(row);
      for (std::int64_t e = 0; e < dp.matrix().cols; ++e) out[e] += dy.values()[index(e)];
    }
  });
  return y;
}

class Importance final : public BalanceRule {
 public:
  explicit Importance(const BalanceOptions& options)
      : coefficient_(options.balance_extra.real("importance_coef")),
        of_weights_(options.balance_extra.text("importance_of") == "weights") {}

  // Soft routing has weights, but not of rows; the assignment of a retrieval is for observers alone.
  bool applies(const BalanceInput& input) const override {
    if (!of_weights_) return input.routing.probabilities.defined();
    return !input.routing.expert_rows.defined() && !input.routing.retrieval;
  }

  BalanceTerm term(Tape& tape, const BalanceInput& input) override {
    const Routing& routing = input.routing;
    const Tensor sums = of_weights_ ? weight_sums(tape, routing.combine_weights, routing.assignment)
                                    : probability_sums(tape, routing.probabilities, input.context.row_mask);
    const Tensor loss = ops::squared_variation(tape, sums);
    return {"importance", ops::scale(tape, loss, static_cast<float>(coefficient_)), loss.item()};
  }

 private:
  double coefficient_;
  bool of_weights_;
};

}  // namespace

BalanceEntry importance_balance() {
  return {
      .name = "importance",
      .summary = "squared coefficient of variation of the experts' total weights",
      .formula =
          "CV^2(Importance) = Var / (mean^2 + 1e-10), Importance_i: sum over rows of w_i (what was served), or of "
          "p_i with importance_of = probabilities",
      .paper = "Shazeer et al. 2017, section 4; of probabilities: Riquelme et al. 2021 (V-MoE)",
      .balanced_value = "0",
      .options = {{.name = "importance_coef",
                   .value = 0.0,
                   .help =
                       "Coefficient of the importance loss (0.1 in Shazeer et al. 2017, beside noisy_load_coef); 0: "
                       "off",
                   .minimum = 0.0,
                   .maximum = 1e6},
                  {.name = "importance_of",
                   .value = std::string("weights"),
                   .help = "What is summed per expert",
                   .choices = {"weights", "probabilities"}}},
      .at_balance = [](const BalanceOptions&, std::int64_t, std::int64_t) { return 0.0; },
      .make = [](const BalanceOptions& options) -> std::unique_ptr<BalanceRule> {
        if (options.balance_extra.real("importance_coef") == 0.0) return nullptr;
        return std::make_unique<Importance>(options);
      },
  };
}

}  // namespace witan
