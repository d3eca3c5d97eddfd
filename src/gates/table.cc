// The table of gates: one line per gate, whose file defines <name>_gate().
#include "gates/table.h"

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "base/suggest.h"

// clang-format off
#define WITAN_GATES(gate) \
  gate(linear) \
  gate(cosine) \
  gate(mlp) \
  gate(gaussian) \
  gate(tree) \
  gate(product_keys)
// clang-format on

namespace witan {

#define WITAN_DECLARE(name) GateEntry name##_gate();
WITAN_GATES(WITAN_DECLARE)
#undef WITAN_DECLARE

namespace {

std::vector<GateEntry>& entries() {
#define WITAN_CALL(name) name##_gate(),
  static std::vector<GateEntry> table = {WITAN_GATES(WITAN_CALL)};
#undef WITAN_CALL
  return table;
}

}  // namespace

std::span<const GateEntry> gate_table() { return entries(); }

std::vector<std::string> gate_names() {
  std::vector<std::string> names;
  names.reserve(gate_table().size());
  for (const GateEntry& entry : gate_table()) names.push_back(entry.name);
  return names;
}

const GateEntry& find_gate(std::string_view name) {
  for (const GateEntry& entry : gate_table()) {
    if (entry.name == name) return entry;
  }
  fail("gate: unknown gate '{}'{}", name, suggestion(name, gate_names()));
}

void add_gate(GateEntry entry) {
  const std::vector<std::string> names = gate_names();
  if (std::find(names.begin(), names.end(), entry.name) != names.end()) {
    fail("gate: there is a gate '{}' already", entry.name);
  }
  entries().push_back(std::move(entry));
}

}  // namespace witan
