// Routing by a router of the table, for the tests of single routers.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "routers/table.h"

namespace witan::test {

using Settings = std::vector<std::pair<std::string, std::string>>;  // fields, as a user types them

// A dropless router, from a fixed seed; hidden size 3, vocabulary of 50, 40 positions.
inline std::unique_ptr<Router> router_of(const std::string& name, std::int64_t experts, std::int64_t k,
                                         const Settings& settings = {}, std::uint64_t seed = 1) {
  RouterOptions options;
  options.router = name;
  options.num_experts = experts;
  options.num_experts_per_tok = k;
  options.vocab_size = 50;
  options.max_positions = 40;
  const Fields fields = options.fields();
  for (const auto& [field, value] : settings) fields.find(field).set(value);
  Random random(seed);
  return find_router(name).make(options, 3, random);
}

// What the router makes of these scores, of rows whose values do not matter; a valid assignment.
inline Routing route(Router& router, const Tensor& scores, RouterContext context) {
  const Tensor rows = Tensor::zeros({scores.rows(), 3});
  context.rows = &rows;
  Tape off;
  Routing routing = router.route(off, scores, context);
  routing.assignment->validate();
  return routing;
}

// The experts of each row, ascending.
inline std::vector<std::vector<std::int64_t>> experts_of_rows(const Assignment& assignment) {
  std::vector<std::vector<std::int64_t>> rows(static_cast<std::size_t>(assignment.num_rows));
  for (std::int64_t e = 0; e < assignment.num_experts; ++e) {
    for (const std::int32_t row : assignment.rows_of(e)) rows[static_cast<std::size_t>(row)].push_back(e);
  }
  return rows;
}

inline std::vector<std::int64_t> loads_of(const Assignment& assignment) {
  std::vector<std::int64_t> loads;
  for (std::int64_t e = 0; e < assignment.num_experts; ++e) loads.push_back(assignment.load(e));
  return loads;
}

// Weight of (row, expert); 0 where there is none.
inline float weight_of(const Assignment& assignment, std::int64_t row, std::int64_t expert) {
  const auto rows = assignment.rows_of(expert);
  const auto found = std::find(rows.begin(), rows.end(), row);
  if (found == rows.end()) return 0.0F;
  const auto entry = assignment.expert_offsets[static_cast<std::size_t>(expert)] + (found - rows.begin());
  return assignment.combine_weights[static_cast<std::size_t>(entry)];
}

}  // namespace witan::test
