// The router z-loss: keeps the scores small, so that the softmax stays well conditioned. Zoph et al. 2022, equation 5.
#include <cmath>

#include "autograd/ops/elementwise.h"
#include "balance/table.h"

namespace witan {
namespace {

// x [T] -> mean over the rows that are not masked of x^2; 0 without such rows.
Tensor mean_square(Tape& tape, const Tensor& x, std::span<const std::uint8_t> row_mask) {
  const PooledVector<std::uint8_t> mask(row_mask.begin(), row_mask.end());
  const auto counts = [](const PooledVector<std::uint8_t>& rows, std::size_t i) {
    return rows.empty() || rows[i] != 0;
  };
  double sum = 0.0;
  double rows = 0.0;
  for (std::size_t i = 0; i < x.values().size(); ++i) {
    if (!counts(mask, i)) continue;
    const auto value = static_cast<double>(x.values()[i]);
    sum += value * value;
    rows += 1.0;
  }
  Tensor y = tape.output({}, {&x});
  y.data()[0] = rows == 0.0 ? 0.0F : static_cast<float>(sum / rows);
  tape.record(y, [dy = y.grad(), dx = x.grad(), x = x.detached(), mask, counts, rows] {
    const std::span<float> accumulated = dx.accumulator();
    if (rows == 0.0) return;
    const float factor = 2.0F * dy.values()[0] / static_cast<float>(rows);
    for (std::size_t i = 0; i < accumulated.size(); ++i) {
      if (counts(mask, i)) accumulated[i] += factor * x.values()[i];
    }
  });
  return y;
}

class RouterZ final : public BalanceRule {
 public:
  explicit RouterZ(double coefficient) : coefficient_(coefficient) {}

  bool applies(const BalanceInput& input) const override { return input.log_normalizers.defined(); }
  BalanceTerm term(Tape& tape, const BalanceInput& input) override {
    const Tensor loss = mean_square(tape, input.log_normalizers, input.context.row_mask);
    return {"router_z", ops::scale(tape, loss, static_cast<float>(coefficient_)), loss.item()};
  }

 private:
  double coefficient_;
};

}  // namespace

BalanceEntry router_z_balance() {
  return {
      .name = "router_z",
      .summary = "mean square of the log-normaliser of the gate's scores, without any noise",
      .formula = "mean over rows of logsumexp(h)^2",
      .paper = "Zoph et al. 2022 (ST-MoE), equation 5",
      .balanced_value = "(log E)^2 when all scores are 0",
      .options = {},
      .at_balance = [](const BalanceOptions&, std::int64_t num_experts, std::int64_t) -> double {
        const double log_experts = std::log(static_cast<double>(num_experts));
        return log_experts * log_experts;
      },
      .make = [](const BalanceOptions& options) -> std::unique_ptr<BalanceRule> {
        if (options.router_z_loss_coef == 0.0) return nullptr;
        return std::make_unique<RouterZ>(options.router_z_loss_coef);
      },
  };
}

}  // namespace witan
