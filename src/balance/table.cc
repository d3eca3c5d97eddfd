// The table of balance rules: one line per rule, whose file defines <name>_balance().
#include "balance/table.h"

// clang-format off
#define WITAN_BALANCE_RULES(rule) \
  rule(load_balance) \
  rule(router_z) \
  rule(importance) \
  rule(device_balance) \
  rule(communication_balance)
// clang-format on

namespace witan {

#define WITAN_DECLARE(name) BalanceEntry name##_balance();
WITAN_BALANCE_RULES(WITAN_DECLARE)
#undef WITAN_DECLARE

std::span<const BalanceEntry> balance_table() {
#define WITAN_CALL(name) name##_balance(),
  static const std::vector<BalanceEntry> table = {WITAN_BALANCE_RULES(WITAN_CALL)};
#undef WITAN_CALL
  return table;
}

std::vector<std::unique_ptr<BalanceRule>> make_balance_rules(const BalanceOptions& options) {
  std::vector<std::unique_ptr<BalanceRule>> rules;
  for (const BalanceEntry& entry : balance_table()) {
    if (std::unique_ptr<BalanceRule> rule = entry.make(options)) rules.push_back(std::move(rule));
  }
  return rules;
}

}  // namespace witan
