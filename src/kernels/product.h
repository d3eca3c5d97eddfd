// The engine under every matrix product: a list of independent products, cut into pieces of similar work that all
// threads share. Operands are packed into cache as they are, transposed or gathered; results are written once per block
// of depth. Not a public product: see gemm.h, grouped_gemm.h and expert_feed_forward.h.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <span>

#include "base/bfloat16.h"
#include "base/float16.h"
#include "base/views.h"

namespace witan::kernels {

// Elements (i, k) of an operand, i along its side of the result (rows for the left operand, columns for the right), k
// along the depth.
struct Factor {
  enum class Layout {
    kSideMajor,   // (i, k) at data[row(i) * stride + k]
    kDepthMajor,  // (i, k) at data[row(k) * stride + i]
  };
  const float* data = nullptr;
  std::int64_t stride = 0;
  Layout layout = Layout::kSideMajor;
  const std::int32_t* rows = nullptr;  // null: all in order
  // One of them in place of data: the elements of a right operand that is kSideMajor.
  const BFloat16* bf16 = nullptr;
  const Float16* f16 = nullptr;

  // Calls visit with the pointer to the elements, whatever they are held as.
  template <class Visit>
  decltype(auto) visit(const Visit& visit) const {
    if (bf16 != nullptr) return visit(bf16);
    return f16 != nullptr ? visit(f16) : visit(data);
  }
  bool is_brief() const { return bf16 != nullptr || f16 != nullptr; }
  std::int64_t row(std::int64_t j) const { return rows == nullptr ? j : std::int64_t{rows[j]}; }
};

// One result, or two that share their left operand.
struct Product {
  std::int64_t rows = 0;
  std::int64_t cols = 0;
  std::int64_t depth = 0;
  int outputs = 1;
  Factor left;
  std::array<Factor, 2> right;   // one per output
  std::array<Matrix, 2> result;  // one per output
  bool accumulate = false;
  // Nobody reads the results soon: they may go to memory past the caches (gradients of weights).
  bool written_for_later = false;
};

// A finished part of a product's results, still in the cache of the thread that made it.
struct ResultBlock {
  std::size_t product;
  std::int64_t first_row;
  std::int64_t rows;
  std::int64_t first_col;
  std::int64_t cols;
};

// Computes every product; calls `finished` (may be empty) for each part of the results as it is final, on the thread
// that made it. Every element is one chain of additions in an order that depends on its depth alone: the same bits
// whatever the threads, the other products or the place of a row among others. But for a few rows times bf16 or
// f16: these are dot products, in an order of their own.
void run_products(std::span<const Product> products, const std::function<void(const ResultBlock&)>& finished = {});

// The same by three loops in double precision, for tests.
void run_products_reference(std::span<const Product> products);

}  // namespace witan::kernels
