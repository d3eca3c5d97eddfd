// Blocks of rows over the thread seam.
#include "mixtures/rows.h"

#include <algorithm>
#include <array>

#include "base/parallel.h"

namespace witan::mixtures {
namespace {

constexpr std::int64_t kBlocksPerThread = 16;  // below this a second thread costs more to wake than it saves
constexpr std::int64_t kMaxPieces = 64;
constexpr std::int64_t kMaxPartialDoubles = 1 << 24;  // all partial sums together: 128 MiB

const double* ones() {
  static const std::array<double, kBlockRows> values = [] {
    std::array<double, kBlockRows> filled{};
    filled.fill(1.0);
    return filled;
  }();
  return values.data();
}

std::int64_t block_count(std::int64_t rows) { return (rows + kBlockRows - 1) / kBlockRows; }

}  // namespace

Columns block_of(const Columns& columns, std::int64_t begin) {
  Columns block;
  block.reserve(columns.size());
  for (const Column column : columns) block.push_back(column == nullptr ? ones() : column + begin);
  return block;
}

Eigen::MatrixXd matrix_of(const Columns& columns, std::int64_t begin, std::int64_t count) {
  const auto kept = std::count_if(columns.begin(), columns.end(), [](Column column) { return column != nullptr; });
  Eigen::MatrixXd matrix(kept, count);
  Eigen::Index row = 0;
  for (const Column column : columns) {
    if (column != nullptr) matrix.row(row++) = Eigen::Map<const Eigen::RowVectorXd>(column + begin, count);
  }
  return matrix;
}

void for_blocks(std::int64_t rows, const std::function<void(std::int64_t, std::int64_t)>& body) {
  parallel_for(block_count(rows), kBlocksPerThread, [&](std::int64_t first, std::int64_t last) {
    for (std::int64_t block = first; block < last; ++block) {
      const std::int64_t begin = block * kBlockRows;
      body(begin, std::min(kBlockRows, rows - begin));
    }
  });
}

void sum_blocks(std::int64_t rows, std::int64_t size, double* sums,
                const std::function<void(std::int64_t, std::int64_t, double*)>& body) {
  const std::int64_t blocks = block_count(rows);
  const std::int64_t affordable = std::max<std::int64_t>(1, kMaxPartialDoubles / std::max<std::int64_t>(size, 1));
  const std::int64_t pieces = std::min({kMaxPieces, affordable, std::max<std::int64_t>(1, blocks / kBlocksPerThread)});
  Eigen::MatrixXd partial = Eigen::MatrixXd::Zero(size, pieces);
  parallel_for(pieces, 1, [&](std::int64_t first, std::int64_t last) {
    for (std::int64_t piece = first; piece < last; ++piece) {
      for (std::int64_t block = piece * blocks / pieces; block < (piece + 1) * blocks / pieces; ++block) {
        const std::int64_t begin = block * kBlockRows;
        body(begin, std::min(kBlockRows, rows - begin), partial.col(piece).data());
      }
    }
  });
  Eigen::Map<Eigen::VectorXd> total(sums, size);
  total.setZero();
  for (std::int64_t piece = 0; piece < pieces; ++piece) total += partial.col(piece);
}

}  // namespace witan::mixtures
