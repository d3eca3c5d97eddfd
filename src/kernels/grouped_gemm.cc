// The grouped products: one dense product per expert, all in one run of the engine.
#include "kernels/grouped_gemm.h"

#include "base/error.h"
#include "base/pool.h"
#include "kernels/product.h"
#include "kernels/weight_factor.h"

namespace witan::kernels {
namespace {

using Layout = Factor::Layout;

// Calls make(product, expert, first entry) for each expert, with the number of entries in `rows`, and runs them.
template <class Make>
void run_per_expert(const RowGroups& groups, bool accumulate, Make&& make) {
  WITAN_ASSERT(groups.row_indices.empty() ||
               static_cast<std::int64_t>(groups.row_indices.size()) == groups.num_entries());
  PooledVector<Product> products(static_cast<std::size_t>(groups.num_experts()));
  for (std::size_t e = 0; e < products.size(); ++e) {
    const std::int64_t begin = groups.offsets[e];
    products[e].rows = groups.offsets[e + 1] - begin;
    products[e].accumulate = accumulate;
    make(products[e], static_cast<std::int64_t>(e), begin);
  }
  run_products(products);
}

// The rows of x that the entries from `begin` on stand for.
Factor rows_from(const RowGroups& groups, ConstMatrix x, std::int64_t begin, Layout layout) {
  if (groups.row_indices.empty()) return {x.row(begin), x.stride, layout, nullptr};
  return {x.data, x.stride, layout, groups.row_indices.data() + begin};
}

}  // namespace

void grouped_gemm(const RowGroups& groups, ConstMatrix x, WeightBank<const float> weight, Matrix y) {
  WITAN_ASSERT(x.cols == weight.in && y.cols == weight.out && y.rows == groups.num_entries());
  run_per_expert(groups, false, [&](Product& product, std::int64_t expert, std::int64_t begin) {
    product.cols = weight.out;
    product.depth = weight.in;
    product.left = rows_from(groups, x, begin, Layout::kSideMajor);
    product.right[0] = weight_of(weight, expert);
    product.result[0] = {y.row(begin), product.rows, y.cols, y.stride};
  });
}

void grouped_gemm_backward_input(const RowGroups& groups, ConstMatrix dy, WeightBank<const float> weight, Matrix dx,
                                 bool accumulate) {
  WITAN_ASSERT(dy.cols == weight.out && dx.cols == weight.in && dy.rows == groups.num_entries() && dx.rows == dy.rows);
  run_per_expert(groups, accumulate, [&](Product& product, std::int64_t expert, std::int64_t begin) {
    product.cols = weight.in;
    product.depth = weight.out;
    product.left = {dy.row(begin), dy.stride, Layout::kSideMajor, nullptr};
    product.right[0] = {weight.of(expert).data, weight.in, Layout::kDepthMajor, nullptr};
    product.result[0] = {dx.row(begin), product.rows, dx.cols, dx.stride};
  });
}

void grouped_gemm_backward_weight(const RowGroups& groups, ConstMatrix dy, ConstMatrix x, WeightBank<float> d_weight,
                                  bool accumulate) {
  WITAN_ASSERT(dy.cols == d_weight.out && x.cols == d_weight.in && dy.rows == groups.num_entries());
  run_per_expert(groups, accumulate, [&](Product& product, std::int64_t expert, std::int64_t begin) {
    product.depth = product.rows;
    product.rows = d_weight.out;
    product.cols = d_weight.in;
    product.left = {dy.row(begin), dy.stride, Layout::kDepthMajor, nullptr};
    product.right[0] = rows_from(groups, x, begin, Layout::kDepthMajor);
    product.result[0] = d_weight.of(expert);
    product.written_for_later = true;
  });
}

}  // namespace witan::kernels
