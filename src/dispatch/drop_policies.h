// Who is served first when an expert has more rows than capacity: the table of dropping policies.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/random.h"
#include "dispatch/choices.h"

namespace witan {

struct DropPolicy {
  std::string name;
  std::string summary;  // one line
  // Whether a row's service never depends on later rows of the batch.
  bool (*causal_safe)(std::int64_t experts_per_row) = nullptr;
  // Writes all slots of `choices` in the order in which they are served. weights: one per slot. random: as in
  // RouterContext, null in evaluation.
  void (*order)(const Choices& choices, std::span<const float> weights, Random* random,
                std::span<std::int32_t> slots) = nullptr;
};

std::span<const DropPolicy> drop_policy_table();
std::vector<std::string> drop_policy_names();
// Throws Error for an unknown name, naming the nearest ones.
const DropPolicy& find_drop_policy(std::string_view name);

}  // namespace witan
