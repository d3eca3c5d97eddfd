// A table ready for a mixture, in the user's units: numeric columns with names. Not yet standardised, not yet checked.
#pragma once

#include <string>
#include <vector>

namespace witan::mixtures {

struct NamedColumn {
  std::string name;
  std::vector<double> values;
};

// Inputs of experts and gate are numbers of `columns`, so that a column both read is kept once. All columns have one
// value per row.
struct Sample {
  std::vector<NamedColumn> columns;
  std::vector<int> expert_inputs;
  std::vector<int> gate_inputs;
  bool expert_intercept = true;
  bool gate_intercept = true;
  std::vector<NamedColumn> targets;
  std::vector<std::string> classes;  // of a class target, whose values are their numbers
  std::vector<double> weights;       // case weights, not negative; empty: 1

  std::size_t rows() const { return targets.empty() ? 0 : targets.front().values.size(); }
};

}  // namespace witan::mixtures
