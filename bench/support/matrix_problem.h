// What the programs for kernels that are bound by memory share: random matrices, and bytes for the report.
#pragma once

#include <benchmark/benchmark.h>

#include <cstdint>
#include <vector>

#include "base/random.h"
#include "base/views.h"

namespace witan::bench {

inline std::vector<float> normals(std::int64_t count, std::uint64_t seed) {
  std::vector<float> values(static_cast<std::size_t>(count));
  Random(seed).fill_normal(values, 0.0F, 1.0F);
  return values;
}

// A matrix of range(0) x range(1), its result, and two gradients.
struct MatrixProblem {
  explicit MatrixProblem(const benchmark::State& state)
      : rows(state.range(0)),
        cols(state.range(1)),
        x(normals(rows * cols, 1)),
        y(normals(rows * cols, 2)),
        dy(normals(rows * cols, 3)),
        dx(normals(rows * cols, 4)) {}
  Matrix view(std::vector<float>& values) const { return {values.data(), rows, cols}; }

  std::int64_t rows;
  std::int64_t cols;
  std::vector<float> x, y, dy, dx;
};

// Bytes of `matrices` of the problem's shape, each read or written once.
inline void report_bytes(benchmark::State& state, const MatrixProblem& problem, int matrices) {
  state.SetBytesProcessed(state.iterations() * matrices * problem.rows * problem.cols *
                          static_cast<std::int64_t>(sizeof(float)));
}

}  // namespace witan::bench
