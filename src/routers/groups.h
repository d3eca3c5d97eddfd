// Experts in equal groups of neighbours, of which a row may use a few: the experts of one device, or of one branch.
#pragma once

#include <cstdint>
#include <vector>

#include "base/views.h"
#include "routers/options.h"

namespace witan {

// "n_group", "topk_group": for the entries of routers that know groups.
std::vector<ExtraOption> group_options();
// "group_score", "masked_group_score": of those that limit a row to some groups.
std::vector<ExtraOption> group_limit_options();

struct Groups {
  std::int64_t count = 1;    // n_group, divides num_experts
  std::int64_t per_row = 1;  // topk_group
};
// Throws Error naming `router` when the groups do not divide the experts, or those of a row hold fewer than k.
Groups checked_groups(const char* router, const RouterOptions& options);

struct GroupLimit {
  Groups groups;
  bool sum_of_two = false;      // a group scores the sum of its two best (DeepSeek-V3), else its best (DeepSeek-V2)
  bool mask_with_zero = false;  // masked scores become 0, else -inf
};
// From options that declare group_limit_options.
GroupLimit group_limit(const char* router, const RouterOptions& options);

// Masks, in each row of `scores` [T, E], the experts outside of the groups.per_row groups of the largest score; ties go
// to the lowest group. DeepSeek-AI 2024 (V2, section 2.2.2; V3, section 2.1.2).
void limit_to_groups(const GroupLimit& limit, Matrix scores);

}  // namespace witan
