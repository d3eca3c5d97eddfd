// From a table and a formula to the numeric columns of a mixture, and the recipe to build the same columns from another
// table.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "formats/csv.h"
#include "mixtures/families.h"
#include "mixtures/formula.h"
#include "mixtures/sample.h"

namespace witan::mixtures {

// A factor of a design column: a number under a function and a power, or 1 where a category has this level and else 0.
struct DesignFactor {
  std::string column;
  std::string function;
  double power = 1.0;
  std::optional<std::string> level;
};

struct DesignColumn {
  std::string name;  // "x^2", "colour[red]"
  std::vector<DesignFactor> factors;
};

// The levels of a category that the data had; the first is the reference of its inputs.
struct Category {
  std::string column;
  std::vector<std::string> levels;
};

struct Design {
  std::vector<DesignColumn> columns;
  std::vector<Category> categories;
  std::vector<std::string> targets;
};

enum class MissingPolicy { kError, kDrop };

struct DesignRequest {
  Formula formula;
  TargetKind target = TargetKind::kNumber;
  std::string weights;  // column of case weights; empty: none
  MissingPolicy missing = MissingPolicy::kError;
  std::vector<std::string> classes;  // of a class target, where the table is a part of another; empty: those it has
  bool piece = false;                // of a table: may be without a complete row
};

struct BuiltDesign {
  Design design;
  Sample sample;
  std::vector<std::int64_t> rows;  // of the table, in the order of the sample
  std::int64_t dropped = 0;        // rows with missing values
};

// Throws Error with line and column of the file for missing values (unless dropped), text where a number is needed, and
// functions of values they are not defined for.
BuiltDesign build_design(const CsvTable& table, const DesignRequest& request);

// The columns of the design from another table, for prediction, and the targets where the table has them all. Rows with
// missing inputs are an Error, as are levels that were not there at the fit.
BuiltDesign apply_design(const CsvTable& table, const Design& design, const std::vector<std::string>& classes,
                         TargetKind target);

}  // namespace witan::mixtures
