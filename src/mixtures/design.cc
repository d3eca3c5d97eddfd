// Design columns.
#include "mixtures/design.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "base/error.h"
#include "base/suggest.h"
#include "mixtures/prepare.h"

namespace witan::mixtures {
namespace {

constexpr std::size_t kMaxLevels = 1000;

std::string place(const CsvTable& table, std::int64_t row, const std::string& column) {
  return fmt::format("{}: line {}, column '{}'", table.source, table.line_of(row), column);
}

double apply(const DesignFactor& factor, double value) {
  if (factor.function == "log") value = std::log(value);
  if (factor.function == "exp") value = std::exp(value);
  if (factor.function == "sqrt") value = std::sqrt(value);
  return factor.power == 1.0 ? value : std::pow(value, factor.power);
}

NamedColumn design_values(const CsvTable& table, const DesignColumn& column, const std::vector<std::int64_t>& rows) {
  NamedColumn result{column.name, std::vector<double>(rows.size(), 1.0)};
  for (const DesignFactor& factor : column.factors) {
    const CsvColumn& source = table.find(factor.column);
    if (factor.level) {
      const auto found = std::find(source.levels.begin(), source.levels.end(), *factor.level);
      const auto code = found == source.levels.end() ? -2 : static_cast<std::int32_t>(found - source.levels.begin());
      for (std::size_t i = 0; i < rows.size(); ++i) {
        if (source.codes[static_cast<std::size_t>(rows[i])] != code) result.values[i] = 0.0;
      }
      continue;
    }
    for (std::size_t i = 0; i < rows.size(); ++i) {
      const double value = source.numbers[static_cast<std::size_t>(rows[i])];
      const double made = apply(factor, value);
      if (!std::isfinite(made)) {
        fail("{}: {} of {} is not a finite number", place(table, rows[i], factor.column), column.name, value);
      }
      result.values[i] *= made;
    }
  }
  return result;
}

// A number, but with the decimal point that the table was not read with.
bool has_other_decimal(const CsvTable& table, const std::string& text) {
  return !is_csv_number(text, table.decimal) && is_csv_number(text, table.decimal == ',' ? '.' : ',');
}

const char* advice_on_decimals(const CsvTable& table) {
  return table.decimal == ',' ? "numbers with a decimal point are read with --decimal ."
                              : "numbers with a decimal comma are read with --decimal ,";
}

// Refuses a text column that was meant to be numbers: with other decimals, or numbers but for a few values of many.
void check_category(const CsvTable& table, const CsvColumn& column) {
  constexpr std::size_t kManyLevels = 30;
  std::size_t numbers = 0;
  std::vector<std::size_t> others;  // levels with the other decimal point
  std::size_t odd = 0;
  for (std::size_t i = 0; i < column.levels.size(); ++i) {
    if (is_csv_number(column.levels[i], table.decimal)) {
      ++numbers;
    } else if (has_other_decimal(table, column.levels[i])) {
      others.push_back(i);
    } else {
      odd = i;
    }
  }
  if (!others.empty() && others.size() + numbers == column.levels.size()) {
    fail("{}: column '{}' has text such as '{}'; {}", table.source, column.name, column.levels[others.front()],
         advice_on_decimals(table));
  }
  if (column.levels.size() <= kManyLevels || 20 * numbers < 19 * column.levels.size()) return;
  if (numbers == column.levels.size()) {  // a piece of a larger table
    fail("{}: column '{}' has numbers, and text elsewhere; correct that, or write NA where a value is missing",
         table.source, column.name);
  }
  const auto at = std::find(column.codes.begin(), column.codes.end(), static_cast<std::int32_t>(odd));
  const std::string where = at == column.codes.end() ? fmt::format("{}: column '{}'", table.source, column.name)
                                                     : place(table, at - column.codes.begin(), column.name);
  fail(
      "{}: '{}' is no number, and {} of the column's {} different values are; correct it, or write NA where it is "
      "missing",
      where, column.levels[odd], numbers, column.levels.size());
}

// The columns a term makes: one, or one for each combination of the levels of its categories but the first ones.
std::vector<DesignColumn> expand(const CsvTable& table, const Term& term, std::vector<Category>& categories) {
  std::vector<DesignColumn> result = {{}};
  for (const Factor& factor : term.factors) {
    const CsvColumn& source = table.find(factor.column);
    std::vector<DesignColumn> next;
    if (source.numeric) {
      const std::string name = term_text({{factor}});
      for (DesignColumn column : result) {
        column.name += (column.name.empty() ? "" : ":") + name;
        column.factors.push_back({factor.column, factor.function, factor.power, std::nullopt});
        next.push_back(std::move(column));
      }
    } else {
      if (!factor.function.empty() || factor.power != 1.0) {
        fail("formula: {} needs numbers, and column '{}' has text", term_text({{factor}}), factor.column);
      }
      check_category(table, source);
      if (source.levels.size() > kMaxLevels) {
        fail("column '{}': {} different texts; as a category it may have {}", factor.column, source.levels.size(),
             kMaxLevels);
      }
      if (source.levels.size() < 2) {
        fail("column '{}': its value is '{}' in every row; a constant column says nothing that the intercept does not",
             factor.column, source.levels.empty() ? "" : source.levels.front());
      }
      if (std::none_of(categories.begin(), categories.end(),
                       [&](const Category& c) { return c.column == factor.column; })) {
        categories.push_back({factor.column, source.levels});
      }
      for (const DesignColumn& column : result) {
        for (std::size_t level = 1; level < source.levels.size(); ++level) {
          DesignColumn one = column;
          one.name += fmt::format("{}{}[{}]", column.name.empty() ? "" : ":", factor.column, source.levels[level]);
          one.factors.push_back({factor.column, "", 1.0, source.levels[level]});
          next.push_back(std::move(one));
        }
      }
    }
    result = std::move(next);
  }
  return result;
}

std::set<std::string> named_columns(const DesignRequest& request) {
  std::set<std::string> names(request.formula.targets.begin(), request.formula.targets.end());
  if (!request.weights.empty()) names.insert(request.weights);
  return names;
}

// The terms of a side with "." spelled out.
std::vector<Term> terms_of(const CsvTable& table, const Side& side, const std::set<std::string>& taken) {
  std::vector<Term> terms = side.terms;
  if (!side.all_others) return terms;
  for (const CsvColumn& column : table.columns) {
    const bool named = std::any_of(terms.begin(), terms.end(), [&](const Term& term) {
      return term.factors.size() == 1 && term.factors.front().column == column.name;
    });
    if (!named && !taken.contains(column.name)) terms.push_back({{{column.name, "", 1.0}}});
  }
  return terms;
}

// Rows where every column has a value. `advice`: what to do about a missing one, where that is an error.
std::vector<std::int64_t> complete_rows(const CsvTable& table, const std::set<std::string>& names, MissingPolicy policy,
                                        const char* advice) {
  std::vector<const CsvColumn*> gaps;
  for (const std::string& name : names) {
    if (table.find(name).missing > 0) gaps.push_back(&table.find(name));
  }
  std::vector<std::int64_t> rows;
  rows.reserve(static_cast<std::size_t>(table.rows));
  for (std::int64_t row = 0; row < table.rows; ++row) {
    const auto gap = std::find_if(gaps.begin(), gaps.end(), [&](const CsvColumn* c) { return c->is_missing(row); });
    if (gap == gaps.end()) {
      rows.push_back(row);
    } else if (policy == MissingPolicy::kError) {
      fail("{}: the value is missing; {}", place(table, row, (*gap)->name), advice);
    }
  }
  return rows;
}

std::string class_text(const CsvColumn& column, std::int64_t row) {
  const auto at = static_cast<std::size_t>(row);
  return column.numeric ? fmt::format("{}", column.numbers[at])
                        : column.levels[static_cast<std::size_t>(column.codes[at])];
}

// Classes of a target in ascending order, as numbers where they are.
std::vector<std::string> classes_of(const CsvTable& table, const CsvColumn& column,
                                    const std::vector<std::int64_t>& rows) {
  std::vector<std::string> classes;
  if (column.numeric) {
    std::set<double> values;
    for (const std::int64_t row : rows) {
      values.insert(column.numbers[static_cast<std::size_t>(row)]);
      if (values.size() > kMaxLevels)
        fail("{}: the target '{}' has more than {} different values; as a class it may not", table.source, column.name,
             kMaxLevels);
    }
    for (const double value : values) classes.push_back(fmt::format("{}", value));
  } else {
    std::set<std::string> values;
    for (const std::int64_t row : rows) values.insert(class_text(column, row));
    classes.assign(values.begin(), values.end());
  }
  return classes;
}

// For a target that should be numbers: names the first value that is none.
[[noreturn]] void fail_for_text(const CsvTable& table, const CsvColumn& column, const std::vector<std::int64_t>& rows) {
  const auto odd = std::find_if(rows.begin(), rows.end(), [&](std::int64_t row) {
    return !is_csv_number(class_text(column, row), table.decimal);
  });
  const std::int64_t row = odd == rows.end() ? rows.front() : *odd;
  const std::string text = class_text(column, row);
  if (has_other_decimal(table, text))
    fail("{}: '{}' is no number; {}", place(table, row, column.name), text, advice_on_decimals(table));
  fail("{}: '{}' is no number, and this family needs one (families of classes: logistic, multinomial)",
       place(table, row, column.name), text);
}

// `weights` of the rows, or empty: what a row of weight 0 holds does not matter.
NamedColumn target_values(const CsvTable& table, const CsvColumn& column, const std::vector<std::int64_t>& rows,
                          const std::vector<std::string>& classes, TargetKind kind,
                          const std::vector<double>& weights) {
  NamedColumn result{column.name, {}};
  result.values.reserve(rows.size());
  std::map<std::string, double> numbers;
  for (std::size_t c = 0; c < classes.size(); ++c) numbers.emplace(classes[c], static_cast<double>(c));
  for (const std::int64_t row : rows) {
    if (kind == TargetKind::kClass) {
      const auto known = numbers.find(class_text(column, row));
      if (known == numbers.end())
        fail("{}: the class '{}' was not there at the fit", place(table, row, column.name), class_text(column, row));
      result.values.push_back(known->second);
    } else if (!column.numeric) {
      fail_for_text(table, column, rows);
    } else {
      const double value = column.numbers[static_cast<std::size_t>(row)];
      const char* expected = expected_instead(kind, value);
      if (expected != nullptr && (weights.empty() || weights[result.values.size()] != 0.0))
        fail("{}: {}, expected {}", place(table, row, column.name), value, expected);
      result.values.push_back(value);
    }
  }
  return result;
}

}  // namespace

BuiltDesign build_design(const CsvTable& table, const DesignRequest& request) {
  const std::vector<std::string>& targets = request.formula.targets;
  for (auto name = targets.begin(); name != targets.end(); ++name) {
    if (std::find(targets.begin(), name, *name) != name) fail("formula: the target '{}' is named twice", *name);
  }
  BuiltDesign built;
  const std::set<std::string> taken = named_columns(request);
  std::set<std::string> used = taken;
  for (const std::string& name : used) table.find(name);
  std::map<std::string, int> numbers;
  const auto add_side = [&](const Side& side, std::vector<int>& inputs) {
    for (const Term& term : terms_of(table, side, taken)) {
      for (const Factor& factor : term.factors) {
        if (std::find(targets.begin(), targets.end(), factor.column) != targets.end()) {
          fail("formula: the target '{}' cannot be an input as well", factor.column);
        }
        used.insert(factor.column);
      }
      for (DesignColumn& column : expand(table, term, built.design.categories)) {
        const auto [known, added] = numbers.try_emplace(column.name, static_cast<int>(built.design.columns.size()));
        if (added) built.design.columns.push_back(std::move(column));
        inputs.push_back(known->second);
      }
    }
  };
  Sample& sample = built.sample;
  add_side(request.formula.experts, sample.expert_inputs);
  add_side(request.formula.gate, sample.gate_inputs);
  sample.expert_intercept = request.formula.experts.intercept;
  sample.gate_intercept = request.formula.gate.intercept;
  built.rows = complete_rows(table, used, request.missing, "fill it in, or leave such rows out with --missing drop");
  built.dropped = table.rows - std::ssize(built.rows);
  if (built.rows.empty() && !request.piece)
    fail("{}: no rows{}", table.source, built.dropped > 0 ? " without missing values" : "");
  for (const DesignColumn& column : built.design.columns)
    sample.columns.push_back(design_values(table, column, built.rows));
  if (!request.weights.empty()) {
    const CsvColumn& column = table.find(request.weights);
    if (!column.numeric) fail("{}: the weights in column '{}' are not numbers", table.source, column.name);
    for (const std::int64_t row : built.rows) {
      const double weight = column.numbers[static_cast<std::size_t>(row)];
      if (weight < 0.0) fail("{}: {}, expected a weight of 0 or more", place(table, row, column.name), weight);
      sample.weights.push_back(weight);
    }
  }
  built.design.targets = targets;
  for (const std::string& name : targets) {
    const CsvColumn& column = table.find(name);
    sample.classes = request.classes;
    if (request.target == TargetKind::kClass && sample.classes.empty())
      sample.classes = classes_of(table, column, built.rows);
    sample.targets.push_back(target_values(table, column, built.rows, sample.classes, request.target, sample.weights));
  }
  return built;
}

BuiltDesign apply_design(const CsvTable& table, const Design& design, const std::vector<std::string>& classes,
                         TargetKind target) {
  BuiltDesign built;
  built.design = design;
  std::set<std::string> used;
  for (const DesignColumn& column : design.columns) {
    for (const DesignFactor& factor : column.factors) {
      used.insert(factor.column);
      const CsvColumn& source = table.find(factor.column);
      if (source.numeric == factor.level.has_value()) {
        fail("{}: column '{}' holds {}, and held {} at the fit", table.source, factor.column,
             source.numeric ? "numbers" : "text", source.numeric ? "text" : "numbers");
      }
    }
  }
  for (const Category& category : design.categories) {
    used.insert(category.column);
    if (table.find(category.column).numeric) {
      fail("{}: column '{}' holds numbers, and held text at the fit", table.source, category.column);
    }
  }
  built.rows = complete_rows(table, used, MissingPolicy::kError, "fill it in: a prediction needs all inputs");
  for (const Category& category : design.categories) {
    const CsvColumn& source = table.find(category.column);
    for (const std::int64_t row : built.rows) {
      const std::string& level = source.levels[static_cast<std::size_t>(source.codes[static_cast<std::size_t>(row)])];
      if (std::find(category.levels.begin(), category.levels.end(), level) != category.levels.end()) continue;
      fail("{}: the level '{}' was not there at the fit, which had: {}", place(table, row, category.column), level,
           comma_list(category.levels));
    }
  }
  for (const DesignColumn& column : design.columns)
    built.sample.columns.push_back(design_values(table, column, built.rows));
  // Without a column, this is what says how many rows there are.
  if (design.columns.empty()) built.sample.weights.assign(built.rows.size(), 1.0);
  const bool has_targets = std::all_of(design.targets.begin(), design.targets.end(), [&](const std::string& name) {
    const CsvColumn* column = table.find_or_null(name);
    return column != nullptr && column->missing == 0;
  });
  for (const std::string& name : has_targets ? design.targets : std::vector<std::string>{}) {
    built.sample.targets.push_back(target_values(table, table.find(name), built.rows, classes, target, {}));
  }
  return built;
}

}  // namespace witan::mixtures
