// Lists of numbers in text.
#include "base/number_list.h"

#include <gtest/gtest.h>

#include "support/error_message.h"

namespace witan {
namespace number_list_test {

TEST(NumberListTest, BothWays) {
  EXPECT_TRUE(parse_integers("x", "").empty());
  EXPECT_EQ(parse_integers("x", "0,-3,5"), (std::vector<std::int64_t>{0, -3, 5}));
  const std::vector<double> reals = {0.1, 1e-300, 3.0, 1.0 / 3.0};
  EXPECT_EQ(parse_reals("x", reals_text(reals)), reals);
  EXPECT_EQ(integers_text(std::vector<std::int64_t>{1, 2}), "1,2");
}

TEST(NumberListTest, WhetherANumberIsThere) {
  for (const std::int64_t number : {0, 3, 12}) EXPECT_TRUE(list_holds("0,3,12", number)) << number;
  for (const std::int64_t number : {1, 2, 30}) EXPECT_FALSE(list_holds("0,3,12", number)) << number;
  EXPECT_FALSE(list_holds("", 0));
}

TEST(NumberListTest, WhatIsNoList) {
  for (const char* text : {"1,", ",1", "1,,2", "1;2", "one", "1.5", " 1"}) {
    const std::string message = test::error_message([&] { parse_integers("model.layers", text); });
    EXPECT_NE(message.find("model.layers"), std::string::npos) << text << ": " << message;
    EXPECT_NE(message.find(text), std::string::npos) << message;
  }
}

}  // namespace number_list_test
}  // namespace witan
