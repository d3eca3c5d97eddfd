// The product engine: how work is cut, what is packed when, and the loops around the register tile.
#include "kernels/product.h"

#include "kernels/isa.h"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/product.cc"
#include "hwy/foreach_target.h"
//
#include "hwy/highway.h"
#include "kernels/product-inl.h"
#include "kernels/product_piece.h"

HWY_BEFORE_NAMESPACE();
namespace witan::kernels::HWY_NAMESPACE {

template <int kWidth>
HWY_INLINE void pack(const Factor& factor, std::int64_t side, std::int64_t count, std::int64_t first_depth,
                     std::int64_t depth, float* HWY_RESTRICT packed) {
  const auto row = [&factor](std::int64_t j) { return factor.rows == nullptr ? j : std::int64_t{factor.rows[j]}; };
  if (factor.layout == Factor::Layout::kSideMajor) {
    const auto at = [&](std::int64_t i) { return factor.data + row(side + i) * factor.stride + first_depth; };
    pack_transposed<kWidth>(at, count, depth, packed);
  } else {
    const auto at = [&](std::int64_t k) { return factor.data + row(first_depth + k) * factor.stride + side; };
    pack_copied<kWidth>(at, count, depth, packed);
  }
}

// Rows are shared out evenly among tiles: a last tile of one row would run at a fraction of the speed.
struct RowTiles {
  explicit RowTiles(std::int64_t rows_) : rows(rows_), count((rows_ + kTileRows - 1) / kTileRows) {}
  std::int64_t begin(std::int64_t tile) const { return tile * rows / count; }
  std::int64_t rows;
  std::int64_t count;
};

// Number of floats that the packed left operand of `rows` rows takes.
std::int64_t LeftSize(std::int64_t rows, std::int64_t depth) { return RowTiles(rows).count * depth * kLeftWidth; }
std::int64_t RightSize(std::int64_t depth) { return depth * kRightWidth; }
std::int64_t ColumnsPerPanel() { return kRightWidth; }

void PackLeft(const Product& product, std::int64_t first_row, std::int64_t rows, float* packed) {
  const RowTiles tiles(rows);
  for (int term = 0; term < product.terms; ++term) {
    const Factor& left = product.left[static_cast<std::size_t>(term)];
    for (std::int64_t t = 0; t < tiles.count; ++t) {
      for (std::int64_t k = 0; k < product.depth; k += kDepthBlock) {
        const std::int64_t depth = std::min(kDepthBlock, product.depth - k);
        pack<kLeftWidth>(left, first_row + tiles.begin(t), tiles.begin(t + 1) - tiles.begin(t), k, depth,
                         packed + (t * product.depth + k) * kLeftWidth);
      }
    }
    packed += LeftSize(rows, product.depth);
  }
}

// One panel of columns: result(rows of the piece, cols columns from first_col), for one (term, output).
HWY_INLINE void panel(const Product& product, const Factor& right, const ProductPiece& piece, std::int64_t first_col,
                      std::int64_t cols, const float* left, float* packed_right, const Matrix& result,
                      bool accumulate) {
  const RowTiles tiles(piece.rows);
  const int vectors = cols > kLanes ? kTileVectors : 1;
  for (std::int64_t k = 0; k < product.depth; k += kDepthBlock) {
    const std::int64_t depth = std::min(kDepthBlock, product.depth - k);
    pack<kRightWidth>(right, first_col, cols, k, depth, packed_right);
    for (std::int64_t t = 0; t < tiles.count; ++t) {
      const std::int64_t row = tiles.begin(t);
      const std::int64_t rows = tiles.begin(t + 1) - row;
      const float* packed_left = left + (t * product.depth + k) * kLeftWidth;
      const Tile function = vectors == kTileVectors ? tile_of<kTileVectors>(rows) : tile_of<1>(rows);
      float* to = result.row(piece.first_row + row) + first_col;
      if (cols == vectors * kLanes) {
        function(packed_left, packed_right, depth, to, result.stride, accumulate || k > 0);
        continue;
      }
      HWY_ALIGN float edge[kTileRows * kRightWidth];
      function(packed_left, packed_right, depth, edge, kRightWidth, false);
      for (std::int64_t r = 0; r < rows; ++r) {
        for (std::int64_t c = 0; c < cols; ++c) {
          float& element = to[r * result.stride + c];
          element = accumulate || k > 0 ? element + edge[r * kRightWidth + c] : edge[r * kRightWidth + c];
        }
      }
    }
  }
}

void RunPiece(const Product& product, const ProductPiece& piece, const float* left, float* packed_right) {
  const std::int64_t left_size = LeftSize(piece.rows, product.depth);
  for (std::int64_t c = 0; c < piece.cols; c += kRightWidth) {
    const std::int64_t first_col = piece.first_col + c;
    const std::int64_t cols = std::min<std::int64_t>(kRightWidth, piece.cols - c);
    const int passes = std::max(product.terms, product.outputs);
    for (int pass = 0; pass < passes; ++pass) {
      const auto at = static_cast<std::size_t>(pass);
      const bool next_term = product.terms == 2;
      panel(product, product.right[at], piece, first_col, cols, left + (next_term ? pass * left_size : 0), packed_right,
            product.result[next_term ? 0 : at], product.accumulate || (next_term && pass > 0));
    }
  }
}

}  // namespace witan::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include <algorithm>

#include "base/error.h"
#include "base/parallel.h"
#include "base/pool.h"

namespace witan::kernels {
HWY_EXPORT(LeftSize);
HWY_EXPORT(RightSize);
HWY_EXPORT(ColumnsPerPanel);
HWY_EXPORT(PackLeft);
HWY_EXPORT(RunPiece);

namespace {

// The packed left operand of a piece, all of its depth, should leave room for the rest in a 2 MiB level-2 cache.
constexpr std::int64_t kLeftBytes = 1280 << 10;
// Past this, few rows would fit: the depth is cut and the results are visited again.
constexpr std::int64_t kMaxDepth = 4096;
// Columns of a piece: some 50 to 200 microseconds of work, and one packing of the left operand serves many pieces.
constexpr std::int64_t kPieceColumns = 128;
// Multiply-adds below which a second thread is not worth waking: some ten microseconds.
constexpr std::int64_t kGrain = 1 << 19;

// Uninitialized floats from the pool.
class Scratch {
 public:
  explicit Scratch(std::int64_t count)
      : bytes_(static_cast<std::size_t>(count) * sizeof(float)), data_(static_cast<float*>(pool_allocate(bytes_))) {}
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  ~Scratch() { pool_free(data_, bytes_); }
  float* data() const { return data_; }

 private:
  std::size_t bytes_;
  float* data_;
};

void set_to_zero(const Product& product) {
  for (int output = 0; output < product.outputs; ++output) {
    const Matrix& result = product.result[static_cast<std::size_t>(output)];
    for (std::int64_t r = 0; r < product.rows; ++r) std::fill_n(result.row(r), product.cols, 0.0F);
  }
}

// Rows per chunk: as many as fit, shared out evenly.
std::int64_t chunk_rows(const Product& product) {
  const std::int64_t bytes_per_row = product.terms * product.depth * static_cast<std::int64_t>(sizeof(float));
  const std::int64_t most = std::max<std::int64_t>(kLeftBytes / bytes_per_row, 16);
  const std::int64_t chunks = (product.rows + most - 1) / most;
  return (product.rows + chunks - 1) / chunks;
}

struct Plan {
  PooledVector<ProductPiece> pieces;
  PooledVector<std::int64_t> cost_before;  // [pieces + 1]
  std::int64_t left_size = 0;
  std::int64_t right_size = 0;
};

Plan plan_of(std::span<const Product> products) {
  const auto left_size = WITAN_DISPATCH(LeftSize);
  const auto right_size = WITAN_DISPATCH(RightSize);
  const std::int64_t panel = WITAN_DISPATCH(ColumnsPerPanel)();
  Plan plan;
  plan.cost_before.push_back(0);
  for (std::size_t p = 0; p < products.size(); ++p) {
    const Product& product = products[p];
    if (product.rows == 0 || product.cols == 0 || product.depth == 0) continue;
    const std::int64_t rows = chunk_rows(product);
    plan.left_size = std::max(plan.left_size, product.terms * left_size(rows, product.depth));
    plan.right_size = std::max(plan.right_size, right_size(std::min(product.depth, kDepthBlock)));
    const std::int64_t cols = std::max(panel, kPieceColumns / product.outputs);
    for (std::int64_t r = 0; r < product.rows; r += rows) {
      for (std::int64_t c = 0; c < product.cols; c += cols) {
        const ProductPiece piece{p, r, std::min(rows, product.rows - r), c, std::min(cols, product.cols - c)};
        plan.pieces.push_back(piece);
        // Packing the right operand costs about as much as eight more rows.
        const std::int64_t work =
            (piece.rows + 8) * piece.cols * product.depth * std::max(product.terms, product.outputs);
        plan.cost_before.push_back(plan.cost_before.back() + work);
      }
    }
  }
  return plan;
}

}  // namespace

// The factor from step `first` of the depth on.
Factor from_depth(Factor factor, std::int64_t first) {
  if (factor.layout == Factor::Layout::kSideMajor) {
    factor.data += first;
  } else if (factor.rows != nullptr) {
    factor.rows += first;
  } else {
    factor.data += first * factor.stride;
  }
  return factor;
}

// Products of at most kMaxDepth.
void run_shallow(std::span<const Product> products, const std::function<void(const ResultBlock&)>& finished) {
  const Plan plan = plan_of(products);
  if (plan.pieces.empty()) return;
  const auto pack_left = WITAN_DISPATCH(PackLeft);
  const auto run_piece = WITAN_DISPATCH(RunPiece);

  parallel_shares(plan.cost_before, kGrain, [&](const std::function<std::int64_t()>& next_piece) {
    const Scratch left(plan.left_size);
    const Scratch right(plan.right_size);
    const ProductPiece* packed = nullptr;
    for (std::int64_t index = next_piece(); index >= 0; index = next_piece()) {
      const ProductPiece& piece = plan.pieces[static_cast<std::size_t>(index)];
      const Product& product = products[piece.product];
      if (packed == nullptr || packed->product != piece.product || packed->first_row != piece.first_row) {
        pack_left(product, piece.first_row, piece.rows, left.data());
        packed = &piece;
      }
      run_piece(product, piece, left.data(), right.data());
      if (finished) finished({piece.product, piece.first_row, piece.rows, piece.first_col, piece.cols});
    }
  });
}

void run_products(std::span<const Product> products, const std::function<void(const ResultBlock&)>& finished) {
  std::int64_t deepest = 0;
  for (const Product& product : products) {
    WITAN_ASSERT(product.terms >= 1 && product.outputs >= 1 && product.terms + product.outputs <= 3);
    WITAN_ASSERT(product.rows >= 0 && product.cols >= 0 && product.depth >= 0);
    if (product.depth == 0 && !product.accumulate) set_to_zero(product);
    deepest = std::max(deepest, product.depth);
  }
  if (deepest <= kMaxDepth) return run_shallow(products, finished);
  WITAN_ASSERT(!finished);
  PooledVector<Product> slices(products.begin(), products.end());
  for (std::int64_t first = 0; first < deepest; first += kMaxDepth) {
    for (std::size_t p = 0; p < products.size(); ++p) {
      Product& slice = slices[p];
      slice.depth = std::clamp<std::int64_t>(products[p].depth - first, 0, kMaxDepth);
      slice.accumulate = products[p].accumulate || first > 0;
      for (std::size_t i = 0; i < 2; ++i) {
        slice.left[i] = from_depth(products[p].left[i], first);
        slice.right[i] = from_depth(products[p].right[i], first);
      }
    }
    run_shallow(slices, {});
  }
}

void run_products_reference(std::span<const Product> products) {
  const auto element = [](const Factor& factor, std::int64_t i, std::int64_t k) {
    const bool side_major = factor.layout == Factor::Layout::kSideMajor;
    const std::int64_t row = side_major ? i : k;
    const std::int64_t at = factor.rows == nullptr ? row : factor.rows[row];
    return static_cast<double>(factor.data[at * factor.stride + (side_major ? k : i)]);
  };
  for (const Product& product : products) {
    for (std::size_t output = 0; output < static_cast<std::size_t>(product.outputs); ++output) {
      for (std::int64_t i = 0; i < product.rows; ++i) {
        for (std::int64_t j = 0; j < product.cols; ++j) {
          float& to = product.result[output](i, j);
          double sum = product.accumulate ? static_cast<double>(to) : 0.0;
          for (std::size_t term = 0; term < static_cast<std::size_t>(product.terms); ++term) {
            for (std::int64_t k = 0; k < product.depth; ++k) {
              sum += element(product.left[term], i, k) * element(product.right[std::max(term, output)], j, k);
            }
          }
          to = static_cast<float>(sum);
        }
      }
    }
  }
}

}  // namespace witan::kernels
#endif
