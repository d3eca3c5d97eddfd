// What validate() refuses.
#include "witan/assignment.h"

#include <gtest/gtest.h>

#include <functional>
#include <limits>

#include "base/error.h"

namespace witan {
namespace assignment_test {

// Rows 0 and 2 to expert 0, row 1 to experts 0 and 1, row 2 dropped by expert 1.
Assignment valid() {
  Assignment assignment;
  assignment.num_rows = 3;
  assignment.num_experts = 2;
  assignment.expert_offsets = {0, 3, 4};
  assignment.row_indices = {0, 1, 2, 1};
  assignment.combine_weights = {1.0F, 0.5F, 0.25F, 0.5F};
  assignment.choice_ranks = {0, 0, 0, 1};
  assignment.dropped_rows = {2};
  assignment.dropped_experts = {1};
  assignment.dropped_ranks = {1};
  return assignment;
}

TEST(AssignmentTest, AcceptsValidOnes) {
  EXPECT_NO_THROW(valid().validate());
  Assignment empty;
  empty.num_experts = 2;
  empty.expert_offsets = {0, 0, 0};
  EXPECT_NO_THROW(empty.validate());
}

TEST(AssignmentTest, RefusesEveryBrokenRule) {
  const std::vector<std::pair<const char*, std::function<void(Assignment&)>>> breaks = {
      {"no experts", [](Assignment& a) { a.num_experts = 0; }},
      {"offsets too few", [](Assignment& a) { a.expert_offsets.pop_back(); }},
      {"offsets fall",
       [](Assignment& a) {
         a.expert_offsets = {0, 5, 4};
       }},
      {"offsets do not start at 0", [](Assignment& a) { a.expert_offsets[0] = 1; }},
      {"offsets do not span", [](Assignment& a) { a.expert_offsets[2] = 3; }},
      {"weights too few", [](Assignment& a) { a.combine_weights.pop_back(); }},
      {"ranks too few", [](Assignment& a) { a.choice_ranks.pop_back(); }},
      {"rank below 0", [](Assignment& a) { a.choice_ranks[0] = -1; }},
      {"row below 0", [](Assignment& a) { a.row_indices[0] = -1; }},
      {"row too large", [](Assignment& a) { a.row_indices[2] = 3; }},
      {"row twice", [](Assignment& a) { a.row_indices[2] = 0; }},
      {"NaN", [](Assignment& a) { a.combine_weights[1] = std::numeric_limits<float>::quiet_NaN(); }},
      {"infinite", [](Assignment& a) { a.combine_weights[1] = std::numeric_limits<float>::infinity(); }},
      {"dropped row too large", [](Assignment& a) { a.dropped_rows[0] = 3; }},
      {"dropped expert too large", [](Assignment& a) { a.dropped_experts[0] = 2; }},
      {"dropped sizes differ", [](Assignment& a) { a.dropped_ranks.clear(); }},
  };
  for (const auto& [name, change] : breaks) {
    Assignment assignment = valid();
    change(assignment);
    EXPECT_THROW(assignment.validate(), Bug) << name;
  }
}

}  // namespace assignment_test
}  // namespace witan
