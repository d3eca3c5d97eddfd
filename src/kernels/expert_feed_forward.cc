// Fused feed-forward experts on the product engine: three runs back, two forward, each over all experts at once.
#include "kernels/expert_feed_forward.h"

#include "base/error.h"
#include "base/pool.h"
#include "kernels/product.h"
#include "kernels/weight_factor.h"

namespace witan::kernels {
namespace {

using Layout = Factor::Layout;

// The entries of one expert.
struct Entries {
  std::int64_t expert;
  std::int64_t begin;
  std::int64_t count;
};

template <class Visit>
void for_each_expert(const RowGroups& groups, Visit&& visit) {
  for (std::int64_t e = 0; e < groups.num_experts(); ++e) {
    const std::int64_t begin = groups.offsets[static_cast<std::size_t>(e)];
    visit(Entries{e, begin, groups.offsets[static_cast<std::size_t>(e) + 1] - begin});
  }
}

Factor rows_of_x(const RowGroups& groups, ConstMatrix x, const Entries& entries, Layout layout) {
  if (groups.row_indices.empty()) return {x.row(entries.begin), x.stride, layout, nullptr};
  return {x.data, x.stride, layout, groups.row_indices.data() + entries.begin};
}

Factor rows_of(ConstMatrix matrix, const Entries& entries, Layout layout) {
  return {matrix.row(entries.begin), matrix.stride, layout, nullptr};
}

Matrix result_of(const Matrix& matrix, const Entries& entries) {
  return {matrix.row(entries.begin), entries.count, matrix.cols, matrix.stride};
}

Matrix block_of(const Matrix& matrix, std::int64_t first_entry, const ResultBlock& block) {
  return {matrix.row(first_entry + block.first_row) + block.first_col, block.rows, block.cols, matrix.stride};
}

// d W = left' right for an expert; both have one row per entry.
Product weight_gradient(const Entries& entries, const Factor& left, const Factor& right, const WeightBank<float>& bank,
                        bool accumulate) {
  Product product;
  product.rows = bank.out;
  product.cols = bank.in;
  product.depth = entries.count;
  product.left = left;
  product.right[0] = right;
  product.result[0] = bank.of(entries.expert);
  product.accumulate = accumulate;
  product.written_for_later = true;
  return product;
}

// d x = rows of d W, for one of the two matrices that read x.
Product input_gradient(const Entries& entries, const Matrix& d_hidden, const WeightBank<const float>& bank,
                       const Matrix& dx, bool accumulate) {
  Product product;
  product.rows = entries.count;
  product.cols = bank.in;
  product.depth = bank.out;
  product.left = rows_of(d_hidden, entries, Layout::kSideMajor);
  product.right[0] = {bank.of(entries.expert).data, bank.in, Layout::kDepthMajor, nullptr};
  product.result[0] = result_of(dx, entries);
  product.accumulate = accumulate;
  return product;
}

// Through the output projection and the nonlinearity: rows.gate and rows.up become gradients, rows.hidden the hidden
// values.
void backward_to_hidden(const RowGroups& groups, ConstMatrix dy, const FeedForwardBank<const float>& weights,
                        Activation activation, const FeedForwardRows& rows) {
  PooledVector<Product> products;
  for_each_expert(groups, [&](const Entries& entries) {
    products.push_back(input_gradient(entries, {const_cast<float*>(dy.data), dy.rows, dy.cols, dy.stride}, weights.down,
                                      rows.hidden, false));
  });
  run_products(products, [&](const ResultBlock& block) {
    const std::int64_t first = groups.offsets[block.product];
    if (weights.gated()) {
      gated_activation_backward_block(activation, block_of(rows.gate, first, block), block_of(rows.up, first, block),
                                      block_of(rows.hidden, first, block));
    } else {
      activation_backward_block(activation, block_of(rows.up, first, block), block_of(rows.hidden, first, block));
    }
  });
}

}  // namespace

void expert_feed_forward(const RowGroups& groups, ConstMatrix x, const FeedForwardBank<const float>& weights,
                         Activation activation, const FeedForwardRows& rows, Matrix y) {
  WITAN_ASSERT(x.cols == weights.up.in && y.cols == weights.down.out && y.rows == groups.num_entries());
  const bool gated = weights.gated();
  PooledVector<Product> products;
  for_each_expert(groups, [&](const Entries& entries) {
    Product product;
    product.rows = entries.count;
    product.cols = weights.up.out;
    product.depth = weights.up.in;
    product.left = rows_of_x(groups, x, entries, Layout::kSideMajor);
    product.outputs = gated ? 2 : 1;
    product.right = {weight_of(weights.up, entries.expert), {}};
    product.result = {result_of(rows.up, entries), {}};
    if (gated) {
      product.right[1] = weight_of(weights.gate, entries.expert);
      product.result[1] = result_of(rows.gate, entries);
    }
    products.push_back(product);
  });
  run_products(products, [&](const ResultBlock& block) {
    const std::int64_t first = groups.offsets[block.product];
    const Matrix hidden = block_of(rows.hidden, first, block);
    if (gated) {
      gated_activation_block(activation, block_of(rows.gate, first, block), block_of(rows.up, first, block), hidden);
    } else {
      activation_block(activation, block_of(rows.up, first, block), hidden);
    }
  });
  grouped_gemm({groups.offsets, {}}, rows.hidden, weights.down, y);
}

void expert_feed_forward_backward(const RowGroups& groups, ConstMatrix x, ConstMatrix dy,
                                  const FeedForwardBank<const float>& weights, Activation activation,
                                  const FeedForwardRows& rows, const FeedForwardGradients& gradients) {
  WITAN_ASSERT(dy.cols == weights.down.out && dy.rows == groups.num_entries());
  backward_to_hidden(groups, dy, weights, activation, rows);

  // Everything else is independent, but for the two products that add up to dx: the second goes to a run of its own.
  PooledVector<Product> first_run;
  PooledVector<Product> second_run;
  const bool want_dx = gradients.dx.data != nullptr;
  for_each_expert(groups, [&](const Entries& entries) {
    const Factor x_rows = rows_of_x(groups, x, entries, Layout::kDepthMajor);
    if (gradients.weights.down.data != nullptr) {
      first_run.push_back(weight_gradient(entries, rows_of(dy, entries, Layout::kDepthMajor),
                                          rows_of(rows.hidden, entries, Layout::kDepthMajor), gradients.weights.down,
                                          gradients.accumulate_down));
    }
    if (want_dx) first_run.push_back(input_gradient(entries, rows.up, weights.up, gradients.dx, false));
    if (gradients.weights.up.data != nullptr) {
      first_run.push_back(weight_gradient(entries, rows_of(rows.up, entries, Layout::kDepthMajor), x_rows,
                                          gradients.weights.up, gradients.accumulate_up));
    }
    if (!weights.gated()) return;
    if (want_dx) second_run.push_back(input_gradient(entries, rows.gate, weights.gate, gradients.dx, true));
    if (gradients.weights.gate.data != nullptr) {
      second_run.push_back(weight_gradient(entries, rows_of(rows.gate, entries, Layout::kDepthMajor), x_rows,
                                           gradients.weights.gate, gradients.accumulate_gate));
    }
  });
  run_products(first_run);
  run_products(second_run);
}

}  // namespace witan::kernels
