// From a sample to what models are fitted to: checked, rows of weight 0 left out, columns standardised.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "mixtures/families.h"
#include "mixtures/model.h"
#include "mixtures/sample.h"

namespace witan::mixtures {

// standardised = (value - center) / scale
struct ColumnScale {
  double center = 0.0;
  double scale = 1.0;
};

// The scale of values with this mean, standard deviation and largest size; scale 0 where they are constant but for
// rounding.
ColumnScale spread_of(double mean, double deviation, double largest);

// Removes the rows of weight 0, which may hold anything. Returns how many there were. Throws Error for weights that are
// negative or not finite.
std::int64_t drop_weightless(Sample& sample);

// What a target of this kind should have been instead of this value ("a count (0, 1, 2, ...)"); nullptr where it is
// right. Classes are always right.
const char* expected_instead(TargetKind kind, double value);

// Means and spreads of a whole table of which the rows at hand are a part.
struct KnownScales {
  std::vector<ColumnScale> columns;
  std::vector<ColumnScale> targets;
  std::int64_t rows = 0;
  double total_weight = 0.0;
};

// Everything about the columns that outlives the rows: what a model file keeps.
struct Frame {
  std::vector<std::string> columns;  // names
  std::vector<ColumnScale> column_scales;
  std::vector<int> expert_inputs;  // of columns
  std::vector<int> gate_inputs;
  bool expert_intercept = true;
  bool gate_intercept = true;
  std::vector<std::string> targets;
  std::vector<ColumnScale> target_scales;
  std::vector<std::string> classes;
  TargetKind target_kind = TargetKind::kNumber;

  // Names of the inputs as the models see them: "(intercept)" first where there is one.
  std::vector<std::string> expert_input_names() const;
  std::vector<std::string> gate_input_names() const;
  // log f of a record in the user's units minus that in standardised ones; of its gate inputs too where `joint`.
  double log_density_shift(bool joint) const;
};

// Owns standardised columns.
class Prepared {
 public:
  // The model's view of the columns; good as long as this lives.
  const Data& data() const { return data_; }
  const Frame& frame() const { return frame_; }
  // What was left out and why: collinear columns, rows of weight 0.
  const std::vector<std::string>& notes() const { return notes_; }
  // Case weights together: the number of records n.
  double total_weight() const { return data_.total_weight; }

  // Checks and standardises a sample for a family; consumes it, since tables are large. Throws Error naming column and
  // row for values that are not finite, negative weights, counts that are none, positive numbers that are not, a
  // constant column or target, a single class, or fewer rows than experts.
  // `known`: scales to use instead of those of the rows; may be nullptr.
  static Prepared from(Sample sample, TargetKind target, std::int64_t experts, const KnownScales* known = nullptr);
  // `count` of the rows, drawn without replacement.
  Prepared subsample(std::int64_t count, std::uint64_t seed) const;
  // All rows in another order.
  Prepared shuffled(std::uint64_t seed) const;
  // Rows in the user's units under an existing frame: for prediction, and for pieces of a table. Targets may be
  // missing.
  static Prepared under(const Frame& frame, Sample sample);

 private:
  void connect();
  Prepared picked(const std::vector<std::size_t>& rows) const;

  Frame frame_;
  std::vector<std::vector<double>> columns_;
  std::vector<std::vector<double>> targets_;
  std::vector<double> weights_;
  std::int64_t rows_ = 0;
  std::vector<std::string> notes_;
  Data data_;
};

}  // namespace witan::mixtures
