// The table of gates: one line of table.cc per gate. Command line, docs and contract tests read it.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/random.h"
#include "gates/options.h"
#include "witan/gate.h"

namespace witan {

struct GateEntry {
  std::string name;
  std::string summary;  // one line
  std::string formula;
  std::string paper;
  std::string cost;                       // per row
  std::vector<ExtraOption> options = {};  // of this gate alone
  // rows of width hidden_size -> scores for num_experts. Weights are drawn from `random`.
  std::unique_ptr<Gate> (*make)(const GateOptions& options, std::int64_t hidden_size, std::int64_t num_experts,
                                Random& random) = nullptr;
};

std::span<const GateEntry> gate_table();
std::vector<std::string> gate_names();
// Throws Error for an unknown name, naming the nearest ones.
const GateEntry& find_gate(std::string_view name);
// Adds a gate from outside the tree. Call it once, before any options object is made and from one thread. Throws Error
// when the name is taken.
void add_gate(GateEntry entry);

}  // namespace witan
