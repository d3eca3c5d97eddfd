// The table of routers: one line of table.cc per router. Command line, docs, contract tests and the comparison read it.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/random.h"
#include "routers/options.h"
#include "witan/router.h"

namespace witan {

// What a router does with rows and experts.
enum class RouterKind {
  kChoice,       // rows and experts choose each other
  kEveryExpert,  // every expert serves every row: num_experts_per_tok is num_experts
  kSoft,         // experts see mixtures of rows (Routing::expert_rows)
  kRetrieval,    // rows name some of very many single neurons (Routing::retrieval)
};

struct RouterEntry {
  std::string name;
  std::string summary;  // one line
  std::string formula;
  std::string paper;
  std::string causality;       // in words: when does a row depend on later rows of the batch?
  std::string inference_rule;  // what differs in evaluation
  std::string cost;
  RouterKind kind = RouterKind::kChoice;
  bool uses_gate = true;                   // else the layer has no gate and the router gets undefined scores
  bool uses_weighting = false;             // whether options.weighting is read
  std::int64_t fixed_experts_per_tok = 0;  // the only num_experts_per_tok it accepts; 0: any
  std::vector<ExtraOption> options = {};   // of this router alone
  // Whether no row's result depends on later rows, with these options. A causal decoder refuses routers that say no.
  bool (*causal_safe)(const RouterOptions& options) = nullptr;
  // Throws Error for options that do not fit together, before anything is allocated.
  std::unique_ptr<Router> (*make)(const RouterOptions& options, std::int64_t hidden_size, Random& random) = nullptr;
};

std::span<const RouterEntry> router_table();
std::vector<std::string> router_names();
// Throws Error for an unknown name, naming the nearest ones.
const RouterEntry& find_router(std::string_view name);
// Adds a router from outside the tree. Call it once, before any options object is made and from one thread. Throws
// Error when the name is taken.
void add_router(RouterEntry entry);

}  // namespace witan
