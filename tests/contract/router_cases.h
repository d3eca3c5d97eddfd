// Every configuration that the router contract runs on: each entry of the table, with each weighting it reads and with
// the settings that change what it does.
#pragma once

#include <iosfwd>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "routers/table.h"

namespace witan::test {

// A configuration and what it promises. The defaults are the strictest promises: they hold for a router that nobody
// wrote anything down for.
struct RouterCase {
  std::string name;  // "top_k_softmax_then_topk", for the test's name
  std::string router;
  std::string weighting = RouterOptions().weighting;
  std::vector<std::pair<std::string, std::string>> settings = {};  // further fields, as a user types them
  std::int64_t most_experts_per_row = 0;                           // that the settings allow; 0: any number
  std::int64_t experts_per_row = 2;                                // with several experts
  // Fields n_group and topk_group, for numbers of experts that can be cut so.
  std::int64_t groups = 1;
  std::int64_t groups_per_row = 1;

  // Each row that is not masked asks for exactly k experts.
  bool k_per_row_in_training = true;
  bool k_per_row_in_evaluation = true;
  bool random_in_training = false;       // even when nobody is dropped; else the seed decides nothing but dropping
  bool has_probabilities = true;         // else no balance loss applies
  bool lone_weight_is_one = true;        // of the one expert there is
  bool weighs_by_probability = true;     // with all experts chosen: renormalised, but for a factor
  bool weights_have_gradients = true;    // else the router learns otherwise, or not at all
  bool reads_capacity = true;            // else capacity_factor and its like change nothing
  bool equal_loads_in_training = false;  // exactly
  bool balances_in_training = false;     // loads are even whatever the scores: experts do not fill up
  bool always_renormalizes = false;      // else `weighting` says so, if the entry reads it
  bool by_position = false;              // where a row stands decides for it, not what it holds alone
  bool lack_of_causality_shows = true;   // or causal_safe is on the safe side in what the contract tries
  std::int64_t capacity_multiple = 1;    // the capacity is rounded up to a multiple of this

  const RouterEntry& entry() const { return find_router(router); }
  bool k_per_row(bool training) const { return training ? k_per_row_in_training : k_per_row_in_evaluation; }
  // Dropless, for this many experts. k = 0: experts_per_row, or as many as there are experts.
  RouterOptions options(std::int64_t num_experts, std::int64_t k = 0) const;
  // Whether the entry accepts k experts of num_experts.
  bool accepts(std::int64_t num_experts, std::int64_t k) const;
  // Whether a row's weights sum to a constant: renormalised over its selection.
  bool renormalizes() const;
  // Rows that an expert serves at the most, when `rows` ask for experts_per_row each and min_capacity is the default.
  std::int64_t capacity(double factor, std::int64_t rows, std::int64_t num_experts) const;
};

std::vector<RouterCase> router_cases();
// How a failing test prints its case.
std::ostream& operator<<(std::ostream& stream, const RouterCase& router_case);

// From a fixed seed; hidden size 3.
std::unique_ptr<Router> make_router(const RouterOptions& options);

}  // namespace witan::test
