// The rows of a table as mixtures see them: columns of doubles that somebody else owns, cut into blocks for the cache
// and the threads. Not the table itself (formats/csv, prepare) and no names.
#pragma once

#include <Eigen/Core>
#include <cstdint>
#include <functional>
#include <vector>

namespace witan::mixtures {

// One value per row; nullptr stands for a column of ones and costs nothing.
using Column = const double*;
using Columns = std::vector<Column>;

// What one part of a model (its gate, its experts) reads: inputs of its linear predictors, and what its density is of.
struct Rows {
  std::int64_t count = 0;
  Columns inputs;
  Columns targets;
};

// [rows, experts], by column: the case weight of the row times its responsibility.
using Weights = Eigen::MatrixXd;

constexpr std::int64_t kBlockRows = 512;

// The columns from row `begin` on, good for kBlockRows rows.
Columns block_of(const Columns& columns, std::int64_t begin);

// The columns that are not all ones as rows of a matrix [columns, count], from row `begin` on.
Eigen::MatrixXd matrix_of(const Columns& columns, std::int64_t begin, std::int64_t count);

// Calls body(begin, count) for blocks of at most kBlockRows rows that cover [0, rows), in parallel.
void for_blocks(std::int64_t rows, const std::function<void(std::int64_t, std::int64_t)>& body);

// sums [size] = what the calls body(begin, count, partial) for all blocks added to `partial` (zero at first). In
// parallel, and added up in an order that depends on rows and size alone: the same bits for any number of threads.
void sum_blocks(std::int64_t rows, std::int64_t size, double* sums,
                const std::function<void(std::int64_t, std::int64_t, double*)>& body);

}  // namespace witan::mixtures
