// Where two dumps of the same pass, or the weights of two checkpoints, differ, tensor by tensor.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "inference/tensor_dump.h"

namespace witan {

struct TensorDifference {
  std::string name;
  std::vector<std::int64_t> shape;
  // Of numbers: the largest |a - b|, where it is (flat index), the two values there, and the same relative to the
  // largest magnitude in either tensor. Infinite where one is no number.
  double absolute = 0.0;
  double relative = 0.0;
  std::int64_t index = -1;  // -1: no difference
  double a = 0.0;
  double b = 0.0;
  // Of choices (".topk_index" [rows, k]), which are compared as sets: how many rows chose otherwise, and the first of
  // them.
  bool choices = false;
  std::int64_t rows_chosen_otherwise = 0;
  std::int64_t first_row = -1;
  std::string other_shape = {};  // of b, when it does not fit; then nothing above is known
  // |a - b| > tolerance (1 + max(|a|, |b|)) somewhere, another choice, or another shape.
  bool beyond = false;
};

struct TensorComparison {
  std::vector<TensorDifference> tensors;  // that both have, in the order of the graph
  std::vector<std::string> only_a;
  std::vector<std::string> only_b;

  // The first tensor beyond the tolerance; null when there is none.
  const TensorDifference* first_beyond() const;
};

// Weights of choices are compared expert by expert, for the rows that chose the same ones.
TensorComparison compare_dumps(const TensorDump& a, const TensorDump& b, double tolerance);

// The tensors of two folders by name, whatever each stores them as: F8_E4M3 with its scales and MXFP4 count as the
// numbers they stand for (of MXFP4 transposed, if the other is not: gpt-oss stores its experts so). One tensor of each
// is in memory at a time. Throws Error as reading does.
TensorComparison compare_weights(const std::filesystem::path& a, const std::filesystem::path& b, double tolerance);

// "[3, 17]" from a flat index.
std::string index_text(std::span<const std::int64_t> shape, std::int64_t index);

}  // namespace witan
