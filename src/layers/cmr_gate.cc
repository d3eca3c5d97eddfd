// The CMR gate and its budget.
#include "layers/cmr_gate.h"

#include <cmath>

#include "autograd/ops/elementwise.h"
#include "autograd/ops/linear.h"
#include "base/error.h"
#include "layers/keep_mask.h"

namespace witan {
namespace {

// |mean of the rows that are not masked - budget|; 0 without rows. Its slope at the budget itself is 0.
Tensor distance_to_budget(Tape& tape, const Tensor& gates, double budget, std::span<const std::uint8_t> row_mask) {
  PooledVector<float> shares(static_cast<std::size_t>(gates.numel()), 1.0F);
  for (std::size_t row = 0; row < row_mask.size(); ++row) shares[row] = row_mask[row] != 0 ? 1.0F : 0.0F;
  double rows = 0.0;
  double sum = 0.0;
  for (std::size_t row = 0; row < shares.size(); ++row) {
    rows += static_cast<double>(shares[row]);
    if (shares[row] != 0.0F) sum += static_cast<double>(gates.values()[row]);
  }
  const double over = rows == 0.0 ? 0.0 : sum / rows - budget;
  Tensor y = tape.output({}, {&gates});
  y.data()[0] = static_cast<float>(std::fabs(over));
  const double slope = over == 0.0 ? 0.0 : std::copysign(1.0 / rows, over);
  tape.record(y, [dy = y.grad(), dg = gates.grad(), shares = std::move(shares), slope] {
    const std::span<float> gradient = dg.accumulator();
    const float given = dy.values()[0] * static_cast<float>(slope);
    for (std::size_t row = 0; row < shares.size(); ++row) gradient[row] += given * shares[row];
  });
  return y;
}

}  // namespace

Fields CmrOptions::fields() {
  Fields fields("moe");
  fields
      .flag("cmr_gate", cmr_gate,
            "A gate G per row blends the mixture and the shared experts, (1 - G) shared + G mixture (NLLB)")
      .real("cmr_budget", cmr_budget, 0.0, 1.0, "Mean of G that the loss |mean G - budget| asks for")
      .real("cmr_budget_coef", cmr_budget_coef, 0.0, 1e6, "Coefficient of that loss; 0: off")
      .real("cmr_gate_dropout", cmr_gate_dropout, 0.0, 1.0,
            "Probability in training that G of a row is 0 (NLLB: 0.2), without rescaling");
  return fields;
}

CmrGate::CmrGate(const CmrOptions& options, std::int64_t hidden_size)
    : options_(options), weight_(Tensor::zeros({1, hidden_size})), bias_(Tensor::zeros({1})) {
  weight_.set_requires_grad(true);
  bias_.set_requires_grad(true);
}

CmrGate::Blend CmrGate::blend(Tape& tape, const Tensor& rows, const Tensor& shared, const Tensor& mixed,
                              const RouterContext& context) const {
  const Shape per_row{rows.rows()};
  const Tensor gates = ops::sigmoid(tape, ops::linear(tape, rows, weight_, bias_)).reshaped(per_row);
  const Tensor distance = distance_to_budget(tape, gates, options_.cmr_budget, context.row_mask);
  Tensor used = gates;
  if (context.training && options_.cmr_gate_dropout > 0.0) {
    WITAN_ASSERT(context.random != nullptr);
    used = ops::multiply(tape, gates, keep_mask(per_row, options_.cmr_gate_dropout, *context.random));
  }
  const Tensor rest = ops::add(tape, Tensor::full(per_row, 1.0F), ops::scale(tape, used, -1.0F));
  Tensor blended = ops::add(tape, ops::scale_rows(tape, shared, rest), ops::scale_rows(tape, mixed, used));
  const Tensor budget = ops::scale(tape, distance, static_cast<float>(options_.cmr_budget_coef));
  return {std::move(blended), {"cmr_budget", budget, distance.item()}};
}

}  // namespace witan
