// Groups of experts.
#include "routers/groups.h"

#include <algorithm>
#include <limits>

#include "base/error.h"
#include "base/parallel.h"
#include "base/pool.h"
#include "kernels/select.h"
#include "routers/row_grain.h"

namespace witan {
namespace {

float group_score(const float* scores, std::int64_t size, bool sum_of_two) {
  float best = -std::numeric_limits<float>::infinity();
  float second = best;
  for (std::int64_t i = 0; i < size; ++i) {
    second = std::max(second, std::min(best, scores[i]));
    best = std::max(best, scores[i]);
  }
  return sum_of_two && size > 1 ? best + second : best;
}

}  // namespace

std::vector<ExtraOption> group_options() {
  return {{.name = "n_group",
           .value = std::int64_t{1},
           .help = "Groups that the experts are cut into, of the routers that know groups",
           .minimum = 1.0,
           .maximum = 1 << 20},
          {.name = "topk_group",
           .value = std::int64_t{1},
           .help = "Groups that a row may use",
           .minimum = 1.0,
           .maximum = 1 << 20}};
}

std::vector<ExtraOption> group_limit_options() {
  std::vector<ExtraOption> options = group_options();
  options.push_back({.name = "group_score",
                     .value = std::string("max"),
                     .help = "Score of a group: its best expert's (DeepSeek-V2), or the sum of its two best (V3)",
                     .choices = {"max", "sum_of_two"}});
  options.push_back({.name = "masked_group_score",
                     .value = std::string("minus_infinity"),
                     .help = "Score of the experts outside of the row's groups; zero: as the reference code of "
                             "DeepSeek-V3, where they win against negative scores",
                     .choices = {"minus_infinity", "zero"}});
  return options;
}

Groups checked_groups(const char* router, const RouterOptions& options) {
  const Groups groups{options.router_extra.integer("n_group"), options.router_extra.integer("topk_group")};
  if (options.num_experts % groups.count != 0) {
    fail("router.{}: n_group={} does not divide num_experts={}", router, groups.count, options.num_experts);
  }
  if (groups.per_row > groups.count) {
    fail("router.{}: topk_group={} exceeds n_group={}", router, groups.per_row, groups.count);
  }
  const std::int64_t reachable = options.num_experts / groups.count * groups.per_row;
  if (options.num_experts_per_tok > reachable) {
    fail("router.{}: num_experts_per_tok={} exceeds the {} experts of topk_group={} of n_group={} groups", router,
         options.num_experts_per_tok, reachable, groups.per_row, groups.count);
  }
  return groups;
}

GroupLimit group_limit(const char* router, const RouterOptions& options) {
  return {checked_groups(router, options), options.router_extra.text("group_score") == "sum_of_two",
          options.router_extra.text("masked_group_score") == "zero"};
}

void limit_to_groups(const GroupLimit& limit, Matrix scores) {
  const Groups& groups = limit.groups;
  if (groups.per_row == groups.count) return;
  const std::int64_t size = scores.cols / groups.count;
  WITAN_ASSERT(size * groups.count == scores.cols);
  const float masked = limit.mask_with_zero ? 0.0F : -std::numeric_limits<float>::infinity();
  PooledVector<float> group_scores(static_cast<std::size_t>(scores.rows * groups.count));
  PooledVector<std::int32_t> kept(static_cast<std::size_t>(scores.rows * groups.per_row));
  const Matrix by_group{group_scores.data(), scores.rows, groups.count};
  parallel_for(scores.rows, kRowGrain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t row = begin; row < end; ++row) {
      for (std::int64_t g = 0; g < groups.count; ++g) {
        by_group(row, g) = group_score(scores.row(row) + g * size, size, limit.sum_of_two);
      }
    }
  });
  const std::int64_t nan_row = kernels::top_k(by_group, groups.per_row, kept);
  WITAN_ASSERT(nan_row < 0);
  parallel_for(scores.rows, kRowGrain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t row = begin; row < end; ++row) {
      const auto chosen = kept.begin() + row * groups.per_row;
      for (std::int32_t g = 0; g < groups.count; ++g) {
        if (std::find(chosen, chosen + groups.per_row, g) == chosen + groups.per_row) {
          std::fill_n(scores.row(row) + g * size, size, masked);
        }
      }
    }
  });
}

}  // namespace witan
