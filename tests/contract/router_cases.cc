// Configurations of the router contract.
#include "router_cases.h"

#include <algorithm>
#include <ostream>

#include "routers/weighting.h"

namespace witan::test {

RouterOptions RouterCase::options(std::int64_t num_experts, std::int64_t k) const {
  RouterOptions options;
  options.router = router;
  options.weighting = weighting;
  options.num_experts = num_experts;
  options.num_experts_per_tok = k > 0 ? k : std::min(experts_per_row, num_experts);
  options.capacity_factor = 0.0;
  options.eval_capacity_factor = 0.0;
  options.routed_scaling_factor = 2.5;
  return options;
}

bool RouterCase::accepts(std::int64_t num_experts, std::int64_t k) const {
  const std::int64_t fixed = entry().fixed_experts_per_tok;
  const bool constant = renormalizes() && k == 1 && num_experts > 1;
  return k <= num_experts && (fixed == 0 || fixed == k) && !constant;
}

bool RouterCase::renormalizes() const { return entry().uses_weighting && is_renormalized(parse_weighting(weighting)); }

std::vector<RouterCase> router_cases() {
  std::vector<RouterCase> cases;
  for (const RouterEntry& entry : router_table()) {
    const std::int64_t k = entry.fixed_experts_per_tok > 0 ? entry.fixed_experts_per_tok : 2;
    if (!entry.uses_weighting) {
      cases.push_back({entry.name, entry.name, RouterOptions().weighting, k});
      continue;
    }
    for (const std::string& weighting : weighting_names()) {
      cases.push_back({entry.name + "_" + weighting, entry.name, weighting, k});
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
