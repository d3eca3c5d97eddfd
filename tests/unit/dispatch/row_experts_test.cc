// Assignments by rows.
#include "dispatch/row_experts.h"

#include <gtest/gtest.h>

namespace witan {
namespace row_experts_test {

TEST(RowExpertsTest, FirstChoiceFirstAndDroppedRowsEmpty) {
  Assignment assignment;
  assignment.num_rows = 3;
  assignment.num_experts = 4;
  assignment.expert_offsets = {0, 2, 2, 3, 4};
  assignment.row_indices = {0, 2, 0, 2};
  assignment.combine_weights = {0.25F, 0.9F, 0.75F, 0.1F};
  assignment.choice_ranks = {1, 0, 0, 1};
  assignment.validate();
  const std::vector<RowExperts> rows = experts_by_row(assignment);
  ASSERT_EQ(rows.size(), 3U);
  EXPECT_EQ(rows[0].experts, (std::vector<std::int32_t>{2, 0}));
  EXPECT_EQ(rows[0].weights, (std::vector<float>{0.75F, 0.25F}));
  EXPECT_TRUE(rows[1].experts.empty());
  EXPECT_EQ(rows[2].experts, (std::vector<std::int32_t>{0, 3}));
  EXPECT_EQ(rows[2].weights, (std::vector<float>{0.9F, 0.1F}));
}

}  // namespace row_experts_test
}  // namespace witan
