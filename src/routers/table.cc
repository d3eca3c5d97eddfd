// The table of routers: one line per router, whose file defines <name>_router().
#include "routers/table.h"

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "base/suggest.h"

// clang-format off
#define WITAN_ROUTERS(router) \
  router(top_k) \
  router(switch) \
  router(gshard) \
  router(noisy_top_k) \
  router(hierarchical) \
  router(strictly_balanced) \
  router(batch_prioritized) \
  router(group_limited) \
  router(loss_free) \
  router(dense) \
  router(soft_moe) \
  router(peer) \
  router(hash) \
  router(random) \
  router(uniform) \
  router(reinforced) \
  router(expert_choice) \
  router(base) \
  router(sinkhorn) \
  router(linear_program) \
  router(quantile) \
  router(sparsemixer)
// clang-format on

namespace witan {

#define WITAN_DECLARE(name) RouterEntry name##_router();
WITAN_ROUTERS(WITAN_DECLARE)
#undef WITAN_DECLARE

namespace {

std::vector<RouterEntry>& entries() {
#define WITAN_CALL(name) name##_router(),
  static std::vector<RouterEntry> table = {WITAN_ROUTERS(WITAN_CALL)};
#undef WITAN_CALL
  return table;
}

}  // namespace

std::span<const RouterEntry> router_table() { return entries(); }

std::vector<std::string> router_names() {
  std::vector<std::string> names;
  names.reserve(router_table().size());
  for (const RouterEntry& entry : router_table()) names.push_back(entry.name);
  return names;
}

const RouterEntry& find_router(std::string_view name) {
  for (const RouterEntry& entry : router_table()) {
    if (entry.name == name) return entry;
  }
  fail("router: unknown router '{}'{}", name, suggestion(name, router_names()));
}

void add_router(RouterEntry entry) {
  const std::vector<std::string> names = router_names();
  if (std::find(names.begin(), names.end(), entry.name) != names.end()) {
    fail("router: there is a router '{}' already", entry.name);
  }
  entries().push_back(std::move(entry));
}

}  // namespace witan
