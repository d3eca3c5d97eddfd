// Formulas: what they say, and where they are wrong.
#include "mixtures/formula.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "support/error_message.h"

namespace witan::mixtures {
namespace formula_test {

std::vector<std::string> texts(const Side& side) {
  std::vector<std::string> all;
  for (const Term& term : side.terms) all.push_back(term_text(term));
  return all;
}
using Texts = std::vector<std::string>;

TEST(FormulaTest, TermsOfExpertsAndGate) {
  const Formula formula = parse_formula("y ~ x + x^2 | gate ~ z");
  EXPECT_EQ(formula.targets, Texts{"y"});
  EXPECT_EQ(texts(formula.experts), (Texts{"x", "x^2"}));
  EXPECT_TRUE(formula.has_gate);
  EXPECT_EQ(texts(formula.gate), Texts{"z"});
  EXPECT_TRUE(formula.experts.intercept && formula.gate.intercept);
}

TEST(FormulaTest, WithoutAGateItHasTheExpertsTerms) {
  const Formula formula = parse_formula("y ~ x");
  EXPECT_FALSE(formula.has_gate);
  EXPECT_EQ(texts(formula.gate), Texts{"x"});
}

TEST(FormulaTest, InterceptsFunctionsProductsAndQuotedNames) {
  EXPECT_FALSE(parse_formula("y ~ x - 1").experts.intercept);
  EXPECT_FALSE(parse_formula("y ~ 0 + x").experts.intercept);
  EXPECT_TRUE(texts(parse_formula("y ~ x | 1").gate).empty());
  EXPECT_TRUE(parse_formula("y ~ x | gate ~ 1").gate.intercept);
  EXPECT_EQ(texts(parse_formula("y ~ log(x) + I(z^3) + sqrt(w)^0.5").experts), (Texts{"log(x)", "z^3", "sqrt(w)^0.5"}));
  EXPECT_EQ(texts(parse_formula("y ~ a*b*c").experts), (Texts{"a", "b", "a:b", "c", "a:c", "b:c", "a:b:c"}));
  EXPECT_EQ(texts(parse_formula("y ~ `my column`:x").experts), Texts{"my column:x"});
  EXPECT_TRUE(parse_formula("y ~ . | z").experts.all_others);
  EXPECT_EQ(texts(parse_formula("y ~ x | gate").gate), Texts{"gate"});  // a column of that name
  EXPECT_EQ(parse_formula("a + b ~ x").targets, (Texts{"a", "b"}));
}

TEST(FormulaTest, MistakesNameTheirPlace) {
  for (const char* text : {"", "y", "y ~", "y ~ x +", "y ~ x x", "y ~ x^", "y ~ log(x", "y ~ `x", "~ x", "y ~ x | ",
                           "y ~ x - z", "y ~ 2x", "y ~ x | gate ~ z | w"}) {
    EXPECT_NE(test::error_message([&] { parse_formula(text); }).find("formula: at character"), std::string::npos)
        << text;
  }
  EXPECT_NE(test::error_message([] { parse_formula("y ~ lg(x)"); }).find("unknown function 'lg' (did you mean 'log'"),
            std::string::npos);
}

}  // namespace formula_test
}  // namespace witan::mixtures
