// The numbers behind the pictures of a fit: what the mixture says along each input, over a pair of them, and of some of
// the rows it was fitted to. Inputs are columns of the user's table here, not terms of the formula.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "formats/csv.h"
#include "mixtures/design.h"
#include "mixtures/fit.h"

namespace witan::mixtures {

// Probabilities of the curves in `Profile::quantiles`.
constexpr double kBandLevels[] = {0.05, 0.25, 0.5, 0.75, 0.95};

// A column of the table that the model reads.
struct TableInput {
  std::string name;
  std::vector<std::string> levels;  // of a category; empty for numbers
  double low = 0.0;
  double high = 0.0;
  double usual = 0.0;  // the median, or the number of the most frequent level: where other inputs are held
};

// What pictures need of the table; small, so that the table itself can go before the fit.
struct Backdrop {
  CsvTable rows;  // some rows, of the columns that the design names
  std::vector<TableInput> inputs;
  std::int64_t of_rows = 0;  // of how many rows these are a part

  // At most `most` rows, at equal distances, of those that the design kept with a weight above 0.
  static Backdrop of(const CsvTable& table, const BuiltDesign& built, std::int64_t most);
};

// The mixture along one input, the others held at their usual values.
struct Profile {
  int input = 0;                               // of the backdrop
  std::vector<double> at;                      // values, or numbers of levels
  std::vector<std::vector<double>> gate;       // [experts][points]
  std::vector<std::vector<double>> means;      // of each output, or probabilities of classes: [outputs][points]
  std::vector<std::vector<double>> experts;    // means of each expert's first output: [experts][points]; not of classes
  std::vector<std::vector<double>> quantiles;  // of the first output: [kBandLevels][points]; not of classes
  double influence = 0.0;  // mean over experts of the gate's spread along it, for the order in which to look at them
};

// The gate over two numeric inputs, the others held.
struct GateMap {
  int x = 0;  // inputs of the backdrop
  int y = 0;
  std::vector<double> at_x;
  std::vector<double> at_y;
  std::vector<std::vector<double>> gate;  // [experts][points], y outer, x inner
};

struct SeenRow {
  std::vector<double> inputs;  // values, or numbers of levels
  double target = 0.0;         // the first; of classes the number
  double mean = 0.0;           // of the first output; of classes the probability of the one that came
  double deviation = 0.0;
  double pit = 0.0;
  double residual = 0.0;  // normal quantile of pit: standard normal when the distributions are right
  std::vector<double> posterior;
};

struct Portrait {
  std::vector<Profile> profiles;  // the most influential input first
  std::vector<GateMap> maps;      // at most one
  std::vector<SeenRow> rows;
};

Portrait portray(const Fit& fit, const Design& design, const Backdrop& backdrop);

}  // namespace witan::mixtures
