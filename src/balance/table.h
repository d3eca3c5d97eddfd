// The table of balance rules: one line of table.cc per rule. Layers, docs and contract tests read it.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "balance/options.h"
#include "balance/rule.h"

namespace witan {

struct BalanceEntry {
  std::string name;  // of its terms
  std::string summary;
  std::string formula;
  std::string paper;
  std::string balanced_value;  // of the unscaled term when every expert is equally probable and equally loaded
  std::vector<ExtraOption> options = {};  // of this rule alone
  // The unscaled term when all scores are 0 and every expert is chosen equally often, k experts per row.
  double (*at_balance)(const BalanceOptions& options, std::int64_t num_experts, std::int64_t k) = nullptr;
  // Null when the options switch the rule off.
  std::unique_ptr<BalanceRule> (*make)(const BalanceOptions& options) = nullptr;
};

std::span<const BalanceEntry> balance_table();
// Every rule that the options switch on.
std::vector<std::unique_ptr<BalanceRule>> make_balance_rules(const BalanceOptions& options);

}  // namespace witan
