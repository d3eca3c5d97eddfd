// The table of dropping policies: one line per policy, whose file defines <name>_drop_policy().
#include "dispatch/drop_policies.h"

#include "base/error.h"
#include "base/suggest.h"

// clang-format off
#define WITAN_DROP_POLICIES(policy) \
  policy(position) \
  policy(choice) \
  policy(probability) \
  policy(priority) \
  policy(random)
// clang-format on

namespace witan {

#define WITAN_DECLARE(name) DropPolicy name##_drop_policy();
WITAN_DROP_POLICIES(WITAN_DECLARE)
#undef WITAN_DECLARE

std::span<const DropPolicy> drop_policy_table() {
#define WITAN_CALL(name) name##_drop_policy(),
  static const std::vector<DropPolicy> table = {WITAN_DROP_POLICIES(WITAN_CALL)};
#undef WITAN_CALL
  return table;
}

std::vector<std::string> drop_policy_names() {
  std::vector<std::string> names;
  names.reserve(drop_policy_table().size());
  for (const DropPolicy& policy : drop_policy_table()) names.push_back(policy.name);
  return names;
}

const DropPolicy& find_drop_policy(std::string_view name) {
  for (const DropPolicy& policy : drop_policy_table()) {
    if (policy.name == name) return policy;
  }
  fail("drop_policy: unknown policy '{}'{}", name, suggestion(name, drop_policy_names()));
}

}  // namespace witan
