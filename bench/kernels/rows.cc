// How fast rows are gathered and scattered: the embedding, and the way of rows to several experts and back. Bytes are
// those that must be read and written once; the bound is the copy of norm.cc.
#include "kernels/embedding.h"
#include "kernels/scatter.h"
#include "support/matrix_problem.h"

namespace witan::kernels::rows_bench {
namespace {

using bench::normals;

std::vector<std::int32_t> random_ids(std::int64_t count, std::int64_t below) {
  std::vector<std::int32_t> ids(static_cast<std::size_t>(count));
  Random random(7);
  for (std::int32_t& id : ids) id = static_cast<std::int32_t>(random.below(static_cast<std::uint64_t>(below)));
  return ids;
}

void report(benchmark::State& state, std::int64_t floats) {
  state.SetBytesProcessed(state.iterations() * floats * static_cast<std::int64_t>(sizeof(float)));
}

// A table of range(1) rows of 256, and range(0) ids.
struct Lookup {
  static constexpr std::int64_t kWidth = 256;
  explicit Lookup(const benchmark::State& state)
      : ids(random_ids(state.range(0), state.range(1))),
        table(normals(state.range(1) * kWidth, 1)),
        rows(normals(state.range(0) * kWidth, 2)) {}
  Matrix table_view() { return {table.data(), static_cast<std::int64_t>(table.size()) / kWidth, kWidth}; }
  Matrix rows_view() { return {rows.data(), static_cast<std::int64_t>(rows.size()) / kWidth, kWidth}; }

  std::vector<std::int32_t> ids;
  std::vector<float> table;
  std::vector<float> rows;
};

void embedding_forward(benchmark::State& state) {
  Lookup lookup(state);
  for ([[maybe_unused]] auto _ : state) gather_rows(lookup.table_view(), lookup.ids, lookup.rows_view());
  report(state, 2 * static_cast<std::int64_t>(lookup.rows.size()));
}

void embedding_gradient(benchmark::State& state) {
  Lookup lookup(state);
  for ([[maybe_unused]] auto _ : state) {
    scatter_add_rows(lookup.rows_view(), lookup.ids, lookup.table_view(), true);
  }
  report(state, 3 * static_cast<std::int64_t>(lookup.rows.size()));
}

// range(0) rows of width range(1), each served by range(2) of 16 experts.
struct Served {
  explicit Served(const benchmark::State& state)
      : rows(state.range(0)),
        width(state.range(1)),
        entries(rows * state.range(2)),
        row_indices(random_ids(entries, rows)),
        weights(normals(entries, 1)),
        served(normals(entries * width, 2)),
        combined(normals(rows * width, 3)) {}
  Matrix served_view() { return {served.data(), entries, width}; }
  Matrix combined_view() { return {combined.data(), rows, width}; }

  std::int64_t rows;
  std::int64_t width;
  std::int64_t entries;
  std::vector<std::int32_t> row_indices;
  std::vector<float> weights;
  std::vector<float> served;
  std::vector<float> combined;
};

void combine_forward(benchmark::State& state) {
  Served s(state);
  const RowEntries by_row = entries_by_row(s.row_indices, s.rows);
  for ([[maybe_unused]] auto _ : state) sum_entries(by_row, s.served_view(), s.weights, s.combined_view(), false);
  report(state, (s.entries + s.rows) * s.width);
}

void combine_gradient_of_outputs(benchmark::State& state) {
  Served s(state);
  for ([[maybe_unused]] auto _ : state) {
    spread_rows(s.row_indices, s.combined_view(), s.weights, s.served_view(), false);
  }
  report(state, 2 * s.entries * s.width);
}

void combine_gradient_of_weights(benchmark::State& state) {
  Served s(state);
  for ([[maybe_unused]] auto _ : state) {
    dot_rows(s.row_indices, s.served_view(), s.combined_view(), s.weights, false);
  }
  report(state, 2 * s.entries * s.width);
}

void inverse_of_assignment(benchmark::State& state) {
  Served s(state);
  for ([[maybe_unused]] auto _ : state) benchmark::DoNotOptimize(entries_by_row(s.row_indices, s.rows));
}

BENCHMARK(embedding_forward)->ArgNames({"ids", "vocabulary"})->Args({2048, 4096})->Args({2048, 65536})->UseRealTime();
BENCHMARK(embedding_gradient)->ArgNames({"ids", "vocabulary"})->Args({2048, 4096})->Args({2048, 65536})->UseRealTime();
#define WITAN_SERVED(name) \
  BENCHMARK(name)->ArgNames({"rows", "width", "k"})->Args({1024, 512, 2})->Args({1024, 512, 8})->UseRealTime()
WITAN_SERVED(combine_forward);
WITAN_SERVED(combine_gradient_of_outputs);
WITAN_SERVED(combine_gradient_of_weights);
WITAN_SERVED(inverse_of_assignment);

}  // namespace
}  // namespace witan::kernels::rows_bench
