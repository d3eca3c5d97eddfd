// Suggestions: near names, swaps, parts of names, and silence when nothing helps.
#include "base/suggest.h"

#include <gtest/gtest.h>

#include <vector>

namespace witan {
namespace suggest_test {

const std::vector<std::string> kNames = {"top_k", "switch", "expert_choice", "num_experts", "num_experts_per_tok"};

TEST(SuggestTest, NamesTheNearest) {
  EXPECT_EQ(suggestion("topk", kNames), " (did you mean 'top_k'?)");
  EXPECT_EQ(suggestion("swicth", kNames), " (did you mean 'switch'?)");
  EXPECT_EQ(suggestion("Top-K", kNames), " (did you mean 'top_k'?)");
  EXPECT_EQ(suggestion("experts", kNames), " (did you mean 'num_experts' or 'num_experts_per_tok'?)");
}

TEST(SuggestTest, ListsAFewKnownNamesWhenNothingIsNear) {
  EXPECT_EQ(suggestion("zzz", std::vector<std::string>{"a1", "b2"}), " (known: a1, b2)");
  EXPECT_EQ(suggestion(std::string(10000, 'x'), std::vector<std::string>{"a1"}), " (known: a1)");
}

TEST(SuggestTest, SaysNothingWhenThereIsNothingToSay) {
  EXPECT_EQ(suggestion("zzz", std::vector<std::string>{}), "");
  EXPECT_EQ(suggestion("zzz", std::vector<std::string>(50, "a_long_name")), "");
}

}  // namespace suggest_test
}  // namespace witan
