// Communication balance: every device should receive as many rows, a row counting once for a device however many of its
// experts it asked for. DeepSeek-AI 2024 (DeepSeek-V2).
#include <algorithm>
#include <utility>

#include "autograd/ops/elementwise.h"
#include "balance/choice_counts.h"
#include "balance/devices.h"
#include "balance/probability_loss.h"
#include "balance/table.h"
#include "base/index.h"

namespace witan {
namespace {

// [sequences, D]: the rows of each sequence that asked for an expert of the device, served or not.
PooledVector<double> rows_per_device(const Assignment& assignment, const Sequences& sequences, std::int64_t devices) {
  const std::int64_t share = experts_per_device(assignment.num_experts, devices);
  PooledVector<std::uint8_t> sent(index(assignment.num_rows * devices), 0);
  for (std::int64_t expert = 0; expert < assignment.num_experts; ++expert) {
    for (const std::int32_t row : assignment.rows_of(expert)) sent[index(row * devices + expert / share)] = 1;
  }
  for (std::size_t i = 0; i < assignment.dropped_rows.size(); ++i) {
    sent[index(assignment.dropped_rows[i] * devices + assignment.dropped_experts[i] / share)] = 1;
  }
  PooledVector<double> counts(index(sequences.count * devices), 0.0);
  for (std::int64_t row = 0; row < assignment.num_rows; ++row) {
    for (std::int64_t d = 0; d < devices; ++d) {
      counts[index(sequences.of(row) * devices + d)] += sent[index(row * devices + d)];
    }
  }
  return counts;
}

class CommunicationBalance final : public BalanceRule {
 public:
  explicit CommunicationBalance(const BalanceOptions& options)
      : coefficient_(options.balance_extra.real("communication_balance_coef")),
        devices_(options.balance_extra.integer("balance_devices")),
        devices_per_row_(options.balance_extra.integer("balance_devices_per_row")),
        per_sequence_(options.balance_scope == "sequence") {}

  BalanceTerm term(Tape& tape, const BalanceInput& input) override {
    const Assignment& assignment = *input.routing.assignment;
    const std::span<const std::uint8_t> mask = input.context.row_mask;
    const Sequences sequences(assignment.num_rows, per_sequence_ ? input.context.rows_per_sequence : 0);
    const PooledVector<double> sent = rows_per_device(assignment, sequences, devices_);
    PooledVector<double> rows(index(sequences.count), 0.0);
    for (std::int64_t row = 0; row < assignment.num_rows; ++row) {
      if (mask.empty() || mask[index(row)] != 0) rows[index(sequences.of(row))] += 1.0;
    }
    const auto filled = static_cast<double>(std::ranges::count_if(rows, [](double count) { return count > 0.0; }));

    RowWeights weights{{}, {mask.begin(), mask.end()}, sequences.length, assignment.num_experts};
    const std::int64_t share = assignment.num_experts / devices_;
    for (std::int64_t s = 0; s < sequences.count; ++s) {
      double total = 0.0;  // M T
      for (std::int64_t d = 0; d < devices_; ++d) total += sent[index(s * devices_ + d)];
      if (devices_per_row_ > 0) total = static_cast<double>(devices_per_row_) * rows[index(s)];
      const double per_row = 1.0 / std::max(1.0, rows[index(s)] * filled);
      const double factor = total == 0.0 ? 0.0 : static_cast<double>(devices_) / total * per_row;
      for (std::int64_t e = 0; e < assignment.num_experts; ++e) {
        weights.coefficients.push_back(static_cast<float>(sent[index(s * devices_ + e / share)] * factor));
      }
    }
    const Tensor loss = weighted_probabilities(tape, {&input.routing.probabilities, 1}, std::move(weights));
    return {"communication_balance", ops::scale(tape, loss, static_cast<float>(coefficient_)), loss.item()};
  }

 private:
  double coefficient_;
  std::int64_t devices_;
  std::int64_t devices_per_row_;  // M; 0: the mean
  bool per_sequence_;
};

}  // namespace

BalanceEntry communication_balance_balance() {
  return {
      .name = "communication_balance",
      .summary = "rows sent to each device times the probability of the device",
      .formula =
          "sum_d f''_d P''_d; f''_d = D / (M T) rows sent to device d, no gradient, M: devices per row; P''_d: sum "
          "of the mean probabilities of its experts; per batch, or per sequence with balance_scope = sequence",
      .paper = "DeepSeek-AI 2024 (DeepSeek-V2, section 2.1.3)",
      .balanced_value = "1",
      .options = {{.name = "communication_balance_coef",
                   .value = 0.0,
                   .help = "Coefficient of the communication balance loss; 0: off",
                   .minimum = 0.0,
                   .maximum = 1e6},
                  {.name = "balance_devices_per_row",
                   .value = std::int64_t{0},
                   .help = "Devices that a row is sent to at the most, M of the communication balance loss; 0: their "
                           "mean, for routers without such a limit",
                   .minimum = 0.0,
                   .maximum = 1 << 20},
                  devices_option()},
      .at_balance = [](const BalanceOptions&, std::int64_t, std::int64_t) { return 1.0; },
      .make = [](const BalanceOptions& options) -> std::unique_ptr<BalanceRule> {
        if (options.balance_extra.real("communication_balance_coef") == 0.0) return nullptr;
        return std::make_unique<CommunicationBalance>(options);
      },
  };
}

}  // namespace witan
