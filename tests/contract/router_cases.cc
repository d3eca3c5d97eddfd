// Configurations of the router contract.
#include "router_cases.h"

#include <algorithm>
#include <cmath>
#include <ostream>

#include "routers/weighting.h"

namespace witan::test {
namespace {

// The configurations of one router: what it does otherwise than the strictest promises is said here and nowhere else.
std::vector<RouterCase> cases_of(const RouterEntry& entry) {
  RouterCase base;
  base.name = base.router = entry.name;
  if (entry.fixed_experts_per_tok > 0) base.experts_per_row = entry.fixed_experts_per_tok;
  const auto variant = [&base](const std::string& suffix, const auto& change) {
    RouterCase one = base;
    one.name += "_" + suffix;
    change(one);
    return one;
  };
  if (entry.name == "gshard") {
    const auto policy = [&](const char* second_policy) {
      return variant(second_policy, [&](RouterCase& one) {
        one.settings = {{"second_policy", second_policy}};
        one.k_per_row_in_training = one.settings[0].second == "all";
        one.k_per_row_in_evaluation = one.settings[0].second != "none";
        one.random_in_training = one.settings[0].second == "random";
      });
    };
    return {policy("random"), policy("threshold"), policy("all"), policy("none")};
  }
  if (entry.name == "noisy_top_k") {
    const auto noise = [&](const char* kind) {
      return variant(kind, [&](RouterCase& one) {
        one.settings = {{"router_noise", kind}};
        one.random_in_training = one.settings[0].second != "none";
      });
    };
    return {noise("learned"), noise("fixed"), noise("none")};
  }
  if (entry.name == "hierarchical") {
    base.experts_per_row = 4;
    base.random_in_training = true;
    base.always_renormalizes = true;
    const auto two_groups = [](RouterCase& one) { one.groups = one.groups_per_row = 2; };
    return {base, variant("two_groups", two_groups)};
  }
  if (entry.name == "strictly_balanced") {
    base.k_per_row_in_training = base.k_per_row_in_evaluation = false;
    base.equal_loads_in_training = true;
  }
  if (entry.name == "batch_prioritized") base.capacity_multiple = 4;
  if (entry.name == "group_limited" || entry.name == "loss_free") {
    const auto groups = [&](const char* group_score) {
      return variant(group_score, [&](RouterCase& one) {
        one.settings = {{"group_score", group_score}};
        one.groups = 2;
      });
    };
    return {base, groups("max"), groups("sum_of_two")};
  }
  if (entry.name == "sparsemixer") {
    base.settings = {{"sparsemixer_epsilon", "1"}};  // weights that differ, so that policies that go by weight do
    base.weighs_by_probability = false;
  }
  if (!entry.uses_gate) base.has_probabilities = base.weights_have_gradients = false;
  if (entry.name == "random" || entry.name == "uniform") base.by_position = true;
  if (entry.name == "random" || entry.name == "reinforced") base.random_in_training = true;
  if (entry.name == "reinforced") {
    base.weights_have_gradients = false;
    base.lack_of_causality_shows = false;  // its weights are all 1: policies that go by weight then serve by position
  }
  for (const char* const balanced : {"expert_choice", "base", "linear_program", "sinkhorn", "quantile"}) {
    if (entry.name == balanced) base.balances_in_training = true;
  }
  for (const char* const dropless : {"expert_choice", "base", "linear_program"}) {
    if (entry.name == dropless) base.reads_capacity = false;
  }
  if (entry.name == "expert_choice") {
    base.k_per_row_in_training = false;
    return {base, variant("capped", [](RouterCase& one) {
              one.settings = {{"expert_choice_cap", "2"}};
              one.most_experts_per_row = 2;
            })};
  }
  if (entry.name == "hash") {
    // The n-th choices of all rows share a part of the experts that no other choices go to, and all weights are 1: most
    // drop policies then serve by position.
    base.lack_of_causality_shows = false;
    std::vector<RouterCase> variants;
    for (const std::string key : {"random", "balanced", "position", "previous", "clustered"}) {
      variants.push_back(variant(key, [&](RouterCase& one) {
        one.settings = {{"hash_variant", key}};
        one.by_position = key == "position" || key == "previous";
      }));
    }
    return variants;
  }
  return {base};
}

}  // namespace

RouterOptions RouterCase::options(std::int64_t num_experts, std::int64_t k) const {
  RouterOptions options;
  options.router = router;
  options.weighting = weighting;
  options.num_experts = num_experts;
  options.num_experts_per_tok = k > 0 ? k : std::min(experts_per_row, num_experts);
  options.capacity_factor = 0.0;
  options.eval_capacity_factor = 0.0;
  options.routed_scaling_factor = 2.5;
  options.vocab_size = 16;
  options.max_positions = 64;
  const Fields fields = options.fields();
  for (const auto& [field, value] : settings) fields.find(field).set(value);
  if (groups > 1 && num_experts % groups == 0) {
    const std::int64_t group_size = num_experts / groups;
    const bool fits = options.num_experts_per_tok <= groups_per_row * group_size;
    fields.find("n_group").set(std::to_string(groups));
    fields.find("topk_group").set(std::to_string(fits ? groups_per_row : groups));
  }
  return options;
}

bool RouterCase::accepts(std::int64_t num_experts, std::int64_t k) const {
  const std::int64_t fixed = entry().fixed_experts_per_tok;
  const bool constant = renormalizes() && k == 1 && num_experts > 1;
  const bool allowed = most_experts_per_row == 0 || k <= most_experts_per_row;
  return k <= num_experts && (fixed == 0 || fixed == k) && allowed && !constant;
}

bool RouterCase::renormalizes() const {
  return always_renormalizes || (entry().uses_weighting && is_renormalized(parse_weighting(weighting)));
}

std::int64_t RouterCase::capacity(double factor, std::int64_t rows, std::int64_t num_experts) const {
  const double mean = static_cast<double>(rows * experts_per_row) / static_cast<double>(num_experts);
  const auto exact = std::max<std::int64_t>(4, static_cast<std::int64_t>(std::ceil(factor * mean - 1e-9)));
  return (exact + capacity_multiple - 1) / capacity_multiple * capacity_multiple;
}

std::vector<RouterCase> router_cases() {
  std::vector<RouterCase> cases;
  for (const RouterEntry& entry : router_table()) {
    if (entry.kind != RouterKind::kChoice) continue;  // theirs: other_kinds_contract_test.cc
    for (const RouterCase& one : cases_of(entry)) {
      if (!entry.uses_weighting) cases.push_back(one);
      for (const std::string& weighting : weighting_names()) {
        if (!entry.uses_weighting) break;
        cases.push_back(one);
        cases.back().name += "_" + weighting;
        cases.back().weighting = weighting;
        if (weighting == "sigmoid_scaled") {
          cases.back().lone_weight_is_one = false;
          cases.back().weighs_by_probability = false;
        }
      }
    }
  }
  return cases;
}

std::ostream& operator<<(std::ostream& stream, const RouterCase& router_case) { return stream << router_case.name; }

std::unique_ptr<Router> make_router(const RouterOptions& options) {
  Random random(17);
  return find_router(options.router).make(options, 3, random);
}

}  // namespace witan::test
