// Tables made up along inputs go through the same design as any table that is predicted.
#include "mixtures/portrait.h"

#include <algorithm>

#include "base/normal_quantile.h"
#include "base/parallel.h"
#include "mixtures/row_distribution.h"

namespace witan::mixtures {
namespace {

constexpr int kPoints = 121;    // along a number
constexpr int kMapPoints = 41;  // along each side of a map
constexpr std::size_t kMostProfiles = 12;

std::vector<std::string> columns_of(const Design& design) {
  std::vector<std::string> names;
  for (const DesignColumn& column : design.columns) {
    for (const DesignFactor& factor : column.factors) {
      if (std::find(names.begin(), names.end(), factor.column) == names.end()) names.push_back(factor.column);
    }
  }
  return names;
}

TableInput describe(const CsvColumn& column, const std::vector<std::int64_t>& rows) {
  TableInput input;
  input.name = column.name;
  if (column.numeric) {
    std::vector<double> values;
    for (const std::int64_t row : rows) values.push_back(column.numbers[static_cast<std::size_t>(row)]);
    const auto [low, high] = std::minmax_element(values.begin(), values.end());
    input.low = *low;
    input.high = *high;
    const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
    std::nth_element(values.begin(), middle, values.end());
    input.usual = *middle;
  } else {
    input.levels = column.levels;
    std::vector<std::int64_t> counts(column.levels.size(), 0);
    for (const std::int64_t row : rows) ++counts[static_cast<std::size_t>(column.codes[static_cast<std::size_t>(row)])];
    input.usual = static_cast<double>(std::max_element(counts.begin(), counts.end()) - counts.begin());
    input.high = static_cast<double>(column.levels.size() - 1);
  }
  return input;
}

CsvColumn picked(const CsvColumn& column, const std::vector<std::int64_t>& rows) {
  CsvColumn result{column.name, column.numeric, {}, {}, column.levels, 0};
  for (const std::int64_t row : rows) {
    if (column.numeric) result.numbers.push_back(column.numbers[static_cast<std::size_t>(row)]);
    if (!column.numeric) result.codes.push_back(column.codes[static_cast<std::size_t>(row)]);
  }
  return result;
}

// A table of `count` rows with every input at its usual value.
CsvTable usual_rows(const Backdrop& backdrop, std::size_t count) {
  CsvTable table;
  table.source = "the pictures";
  table.rows = static_cast<std::int64_t>(count);
  for (const TableInput& input : backdrop.inputs) {
    CsvColumn column{input.name, input.levels.empty(), {}, {}, input.levels, 0};
    if (column.numeric) column.numbers.assign(count, input.usual);
    if (!column.numeric) column.codes.assign(count, static_cast<std::int32_t>(input.usual));
    table.columns.push_back(std::move(column));
  }
  return table;
}

void set_column(CsvTable& table, int input, const std::vector<double>& values) {
  CsvColumn& column = table.columns[static_cast<std::size_t>(input)];
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (column.numeric) column.numbers[i] = values[i];
    if (!column.numeric) column.codes[i] = static_cast<std::int32_t>(values[i]);
  }
}

std::vector<double> spaced(double low, double high, int points) {
  std::vector<double> values;
  for (int i = 0; i < points; ++i) values.push_back(low + (high - low) * i / (points - 1));
  return values;
}

Prepared prepare(const Fit& fit, const Design& design, const CsvTable& table) {
  return Prepared::under(fit.frame, apply_design(table, design, fit.frame.classes, fit.frame.target_kind).sample);
}

Profile profile_along(const Fit& fit, const Design& design, const Backdrop& backdrop, int number) {
  const TableInput& input = backdrop.inputs[static_cast<std::size_t>(number)];
  Profile profile;
  profile.input = number;
  profile.at = input.levels.empty() ? spaced(input.low, input.high, kPoints)
                                    : spaced(0.0, input.high, static_cast<int>(input.levels.size()));
  CsvTable table = usual_rows(backdrop, profile.at.size());
  set_column(table, number, profile.at);
  const Prepared rows = prepare(fit, design, table);
  const bool classes = fit.frame.target_kind == TargetKind::kClass;
  const auto experts = static_cast<std::size_t>(fit.model->num_experts());
  profile.gate.resize(experts);
  profile.means.resize(classes ? fit.frame.classes.size() : fit.frame.targets.size());
  if (!classes) {
    profile.experts.resize(experts);
    profile.quantiles.resize(std::size(kBandLevels));
  }
  for (std::size_t i = 0; i < profile.at.size(); ++i) {
    const RowDistribution row(*fit.model, rows, static_cast<std::int64_t>(i));
    const std::vector<double> means = row.mean();
    for (std::size_t d = 0; d < means.size(); ++d) profile.means[d].push_back(means[d]);
    for (std::size_t k = 0; k < experts; ++k) {
      profile.gate[k].push_back(row.gate()[k]);
      if (!classes) profile.experts[k].push_back(row.expert_mean(static_cast<int>(k))[0]);
    }
    for (std::size_t q = 0; q < profile.quantiles.size(); ++q)
      profile.quantiles[q].push_back(row.quantile(kBandLevels[q]));
  }
  for (const std::vector<double>& curve : profile.gate) {
    const auto [low, high] = std::minmax_element(curve.begin(), curve.end());
    profile.influence += (*high - *low) / static_cast<double>(experts);
  }
  return profile;
}

GateMap map_over(const Fit& fit, const Design& design, const Backdrop& backdrop, int x, int y) {
  GateMap map{x, y, {}, {}, {}};
  const TableInput& across = backdrop.inputs[static_cast<std::size_t>(x)];
  const TableInput& up = backdrop.inputs[static_cast<std::size_t>(y)];
  map.at_x = spaced(across.low, across.high, kMapPoints);
  map.at_y = spaced(up.low, up.high, kMapPoints);
  std::vector<double> xs;
  std::vector<double> ys;
  for (const double b : map.at_y) {
    for (const double a : map.at_x) {
      xs.push_back(a);
      ys.push_back(b);
    }
  }
  CsvTable table = usual_rows(backdrop, xs.size());
  set_column(table, x, xs);
  set_column(table, y, ys);
  const Prepared rows = prepare(fit, design, table);
  map.gate.resize(static_cast<std::size_t>(fit.model->num_experts()));
  for (std::int64_t n = 0; n < table.rows; ++n) {
    const RowDistribution row(*fit.model, rows, n);
    for (std::size_t k = 0; k < map.gate.size(); ++k) map.gate[k].push_back(row.gate()[k]);
  }
  return map;
}

std::vector<SeenRow> seen_rows(const Fit& fit, const Design& design, const Backdrop& backdrop) {
  const Prepared rows = prepare(fit, design, backdrop.rows);
  const TargetKind kind = fit.frame.target_kind;
  std::vector<SeenRow> seen(static_cast<std::size_t>(backdrop.rows.rows));
  parallel_for(backdrop.rows.rows, 64, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t n = begin; n < end; ++n) {
      const RowDistribution row(*fit.model, rows, n);
      const std::vector<double> targets = row.own_targets();
      SeenRow& one = seen[static_cast<std::size_t>(n)];
      for (const TableInput& input : backdrop.inputs) {
        const CsvColumn& column = backdrop.rows.find(input.name);
        const auto at = static_cast<std::size_t>(n);
        one.inputs.push_back(column.numeric ? column.numbers[at] : static_cast<double>(column.codes[at]));
      }
      one.target = targets[0];
      one.posterior = row.posterior(targets);
      one.mean = row.mean()[kind == TargetKind::kClass ? static_cast<std::size_t>(targets[0]) : 0];
      if (kind == TargetKind::kClass) continue;
      one.deviation = row.deviation()[0];
      one.pit = row.pit(targets[0]);
      // A distribution function may round to 0 or 1.
      one.residual = normal_quantile(std::min(std::max(1e-19, one.pit), 1.0 - 0x1p-53));
    }
  });
  return seen;
}

}  // namespace

Backdrop Backdrop::of(const CsvTable& table, const BuiltDesign& built, std::int64_t most) {
  std::vector<std::int64_t> weighted;
  for (std::size_t i = 0; i < built.rows.size(); ++i) {
    if (built.sample.weights.empty() || built.sample.weights[i] > 0.0) weighted.push_back(built.rows[i]);
  }
  Backdrop backdrop;
  backdrop.of_rows = std::ssize(weighted);
  if (weighted.empty()) return backdrop;
  std::vector<std::string> names = columns_of(built.design);
  for (const std::string& name : names) backdrop.inputs.push_back(describe(table.find(name), weighted));
  const std::int64_t shown = std::min(most, backdrop.of_rows);
  std::vector<std::int64_t> rows;
  for (std::int64_t i = 0; i < shown; ++i)
    rows.push_back(weighted[static_cast<std::size_t>(i * backdrop.of_rows / shown)]);
  names.insert(names.end(), built.design.targets.begin(), built.design.targets.end());
  backdrop.rows.source = table.source;
  backdrop.rows.rows = shown;
  for (const std::string& name : names) backdrop.rows.columns.push_back(picked(table.find(name), rows));
  return backdrop;
}

Portrait portray(const Fit& fit, const Design& design, const Backdrop& backdrop) {
  Portrait portrait;
  for (int i = 0; i < static_cast<int>(backdrop.inputs.size()); ++i)
    portrait.profiles.push_back(profile_along(fit, design, backdrop, i));
  std::stable_sort(portrait.profiles.begin(), portrait.profiles.end(),
                   [](const Profile& a, const Profile& b) { return a.influence > b.influence; });
  std::vector<int> numeric;
  for (const Profile& profile : portrait.profiles) {
    if (backdrop.inputs[static_cast<std::size_t>(profile.input)].levels.empty()) numeric.push_back(profile.input);
  }
  if (portrait.profiles.size() > kMostProfiles) portrait.profiles.resize(kMostProfiles);
  if (numeric.size() >= 2) portrait.maps.push_back(map_over(fit, design, backdrop, numeric[0], numeric[1]));
  portrait.rows = seen_rows(fit, design, backdrop);
  return portrait;
}

}  // namespace witan::mixtures
