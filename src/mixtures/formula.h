// Model formulas: `y ~ x + x^2 | gate ~ z`. Text to terms; which columns there are is not known here.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace witan::mixtures {

// A column, raised to a power or under a function: x, x^2, log(x).
struct Factor {
  std::string column;
  std::string function;  // "", "log", "exp", "sqrt"
  double power = 1.0;
};

// A product of factors: x:z.
struct Term {
  std::vector<Factor> factors;
};

struct Side {
  std::vector<Term> terms;
  bool intercept = true;
  bool all_others = false;  // "." stands for every column that is not named elsewhere in the formula
};

struct Formula {
  std::vector<std::string> targets;
  Side experts;
  Side gate;
  bool has_gate = false;  // whether there was a "|"; without, the gate has the experts' terms
};

// targets ~ terms [| [gate ~] terms]. Terms are joined by +; `-1` or `0` leaves the intercept out, `1` is the intercept
// alone; a*b stands for a + b + a:b; names with other characters than letters, digits, _ and . stand in backticks.
// Throws Error with the position of what was not understood.
Formula parse_formula(std::string_view text);

// "log(x)", "x^2", "x:z".
std::string term_text(const Term& term);

}  // namespace witan::mixtures
