// Every configuration that the router contract runs on: each entry of the table, with each weighting it reads.
#pragma once

#include <iosfwd>
#include <memory>
#include <string>
#include <vector>

#include "routers/table.h"

namespace witan::test {

struct RouterCase {
  std::string name;  // "top_k_softmax_then_topk", for the test's name
  std::string router;
  std::string weighting;
  std::int64_t experts_per_row = 2;  // with several experts

  const RouterEntry& entry() const { return find_router(router); }
  // Dropless, for this many experts. k = 0: experts_per_row, or as many as there are experts.
  RouterOptions options(std::int64_t num_experts, std::int64_t k = 0) const;
  // Whether the entry accepts k experts of num_experts.
  bool accepts(std::int64_t num_experts, std::int64_t k) const;
  // Whether a row's weights sum to a constant: renormalised over its selection.
  bool renormalizes() const;
};

std::vector<RouterCase> router_cases();
// How a failing test prints its case.
std::ostream& operator<<(std::ostream& stream, const RouterCase& router_case);

// From a fixed seed; hidden size 3.
std::unique_ptr<Router> make_router(const RouterOptions& options);

}  // namespace witan::test
