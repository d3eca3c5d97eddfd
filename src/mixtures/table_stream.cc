// Pieces of a table under one design.
#include "mixtures/table_stream.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "base/error.h"
#include "base/interrupt.h"
#include "base/random.h"

namespace witan::mixtures {
namespace {

// Weighted mean and sum of squared distances from it, joined from piece to piece (Chan, Golub & LeVeque 1983).
struct Moments {
  double weight = 0.0;
  double mean = 0.0;
  double squares = 0.0;
  double largest = 0.0;

  void add(const std::vector<double>& values, const std::vector<double>& weights) {
    Moments piece;
    for (std::size_t n = 0; n < values.size(); ++n) {
      const double c = weights.empty() ? 1.0 : weights[n];
      piece.weight += c;
      piece.mean += c * values[n];
      piece.largest = std::max(piece.largest, std::fabs(values[n]));
    }
    if (piece.weight == 0.0) return;
    piece.mean /= piece.weight;
    for (std::size_t n = 0; n < values.size(); ++n) {
      const double distance = values[n] - piece.mean;
      piece.squares += (weights.empty() ? 1.0 : weights[n]) * distance * distance;
    }
    const double together = weight + piece.weight;
    const double distance = piece.mean - mean;
    squares += piece.squares + distance * distance * weight * piece.weight / together;
    mean += distance * piece.weight / together;
    weight = together;
    largest = std::max(largest, piece.largest);
  }
  ColumnScale scale() const { return spread_of(mean, std::sqrt(squares / weight), largest); }
};

void append_row(CsvTable& to, const CsvTable& from, std::int64_t row) {
  for (std::size_t j = 0; j < to.columns.size(); ++j) {
    CsvColumn& column = to.columns[j];
    const CsvColumn& source = from.columns[j];
    const auto at = static_cast<std::size_t>(row);
    if (source.is_missing(row)) ++column.missing;
    if (column.numeric) column.numbers.push_back(source.numbers[at]);
    if (!column.numeric) column.codes.push_back(source.codes[at]);
  }
  to.lines.push_back(from.line_of(row));
  ++to.rows;
}

}  // namespace

TableStream::TableStream(const std::filesystem::path& path, DesignRequest request, std::function<void(double)> progress,
                         CsvOptions csv)
    : request_(std::move(request)),
      progress_(std::move(progress)),
      source_(path.string()),
      stream_(path, kCsvPieceBytes, std::move(csv)) {
  schema_ = scan_csv(stream_, [&](std::int64_t bytes) {
    throw_if_interrupted();
    if (progress_)
      progress_(static_cast<double>(bytes) / static_cast<double>(std::max<std::int64_t>(1, stream_.bytes())));
  });
  if (schema_.rows == 0) fail("{}: no rows", source_);
  if (request_.target == TargetKind::kClass) find_classes();
  measure();
}

void TableStream::each_table(const std::function<void(CsvTable&)>& body) const {
  stream_.rewind();
  for (CsvTable piece; stream_.next(piece, schema_.text_columns);) {
    throw_if_interrupted();
    if (progress_) progress_(static_cast<double>(stream_.bytes_read()) / static_cast<double>(stream_.bytes()));
    unify_levels(piece, schema_);
    body(piece);
  }
}

void TableStream::each(const std::function<void(Sample&)>& body) const {
  each_table([&](CsvTable& piece) {
    BuiltDesign built = build_design(piece, request_);
    drop_weightless(built.sample);
    if (built.sample.rows() > 0) body(built.sample);
  });
}

void TableStream::find_classes() {
  for (const std::string& name : request_.formula.targets) {
    const auto fail_for_many = [&] {
      fail("{}: the target '{}' has more than {} different values; as a class it may not", source_, name,
           CsvSchema::kMostLevels);
    };
    if (schema_.crowded.contains(name)) fail_for_many();
    if (schema_.text_columns.contains(name)) {
      request_.classes = schema_.levels.at(name);
      continue;
    }
    std::set<double> numbers;
    each_table([&](CsvTable& piece) {
      for (const double value : piece.find(name).numbers) {
        if (!std::isnan(value)) numbers.insert(value);
      }
      if (numbers.size() > CsvSchema::kMostLevels) fail_for_many();
    });
    for (const double value : numbers) request_.classes.push_back(fmt::format("{}", value));
  }
}

void TableStream::measure() {
  std::vector<Moments> columns;
  std::vector<Moments> targets;
  request_.piece = true;
  each_table([&](CsvTable& piece) {
    BuiltDesign built = build_design(piece, request_);
    for (const Category& category : built.design.categories) {
      if (schema_.crowded.contains(category.column)) {
        fail("{}: column '{}': more than {} different texts; as a category it may have no more", source_,
             category.column, CsvSchema::kMostLevels);
      }
    }
    dropped_ += built.dropped;
    Sample& sample = built.sample;
    drop_weightless(sample);
    columns.resize(sample.columns.size());
    targets.resize(sample.targets.size());
    for (std::size_t j = 0; j < columns.size(); ++j) columns[j].add(sample.columns[j].values, sample.weights);
    for (std::size_t j = 0; j < targets.size(); ++j) targets[j].add(sample.targets[j].values, sample.weights);
    scales_.rows += static_cast<std::int64_t>(sample.rows());
  });
  if (scales_.rows == 0) fail("data: no rows without missing values and with a positive weight");
  for (const Moments& one : columns) scales_.columns.push_back(one.scale());
  for (const Moments& one : targets) scales_.targets.push_back(one.scale());
  scales_.total_weight = targets.front().weight;
}

CsvTable TableStream::draw(std::int64_t count, std::uint64_t seed) const {
  CsvTable drawn;
  // Selection sampling (Knuth, algorithm S).
  Random random(seed, 0x5eed);
  std::int64_t left = schema_.rows;
  std::int64_t wanted = std::min(count, left);
  each_table([&](CsvTable& piece) {
    if (drawn.columns.empty()) {
      drawn.source = piece.source;
      drawn.decimal = piece.decimal;
      for (const CsvColumn& column : piece.columns)
        drawn.columns.push_back({column.name, column.numeric, {}, {}, column.levels, 0});
    }
    for (std::int64_t row = 0; row < piece.rows && wanted > 0; ++row, --left) {
      if (random.uniform_open() * static_cast<double>(left) >= static_cast<double>(wanted)) continue;
      append_row(drawn, piece, row);
      --wanted;
    }
  });
  return drawn;
}

void StreamedRows::each(const std::function<void(const Data&)>& body) const {
  table_.each([&](Sample& sample) {
    const Prepared rows = Prepared::under(frame_, std::move(sample));
    body(rows.data());
  });
}

}  // namespace witan::mixtures
