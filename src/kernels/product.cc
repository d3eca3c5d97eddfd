// The product engine: how work is cut, what is packed when, and the loops around the register tile.
#include "kernels/product.h"

#include <algorithm>
#include <bit>

#include "kernels/isa.h"
//
#include "hwy/foreach_target.h"
//
#include "hwy/cache_control.h"
#include "hwy/highway.h"
#include "kernels/product-inl.h"
#include "kernels/product_piece.h"

HWY_BEFORE_NAMESPACE();
namespace witan::kernels::HWY_NAMESPACE {

// Of `sides` elements in all, packs those from `side` on.
template <int kWidth>
HWY_INLINE void pack(const Factor& factor, std::int64_t sides, std::int64_t side, std::int64_t count,
                     std::int64_t first_depth, std::int64_t depth, float* HWY_RESTRICT packed) {
  const auto pack_sides = [&](const auto* elements) HWY_ATTR {
    const auto at = [&](std::int64_t i) { return elements + factor.row(side + i) * factor.stride + first_depth; };
    pack_transposed<kWidth>(at, count, depth, packed);
  };
  if (factor.bf16 != nullptr) {
    pack_sides(factor.bf16);
  } else if (factor.f16 != nullptr) {
    pack_sides(factor.f16);
  } else if (factor.layout == Factor::Layout::kSideMajor) {
    pack_sides(factor.data);
  } else {
    const auto at = [&](std::int64_t k) { return factor.data + factor.row(first_depth + k) * factor.stride + side; };
    pack_copied<kWidth>(at, count, sides - side, depth, packed);
  }
}

// Rows are shared out evenly among tiles: a last tile of one row would run at a fraction of the speed.
struct RowTiles {
  explicit RowTiles(std::int64_t rows_) : rows(rows_), count((rows_ + kTileRows - 1) / kTileRows) {}
  std::int64_t begin(std::int64_t tile) const { return tile * rows / count; }
  std::int64_t rows;
  std::int64_t count;
};

// Depth is cut evenly too.
static_assert(kDepthBlock % 4 == 0);
struct DepthBlocks {
  explicit DepthBlocks(std::int64_t depth_) : depth(depth_), count((depth_ + kDepthBlock - 1) / kDepthBlock) {}
  // Whole groups of 4, which packing likes; the last one may be partial. Groups are counted with it, since a block that
  // took it on top of its share could be longer than kDepthBlock, which is what the packed panel has room for.
  std::int64_t begin(std::int64_t block) const { return std::min(block * ((depth + 3) / 4) / count * 4, depth); }
  std::int64_t depth;
  std::int64_t count;
};

// Number of floats that the packed left operand of `rows` rows takes.
std::int64_t LeftSize(std::int64_t rows, std::int64_t depth) { return RowTiles(rows).count * depth * kLeftWidth; }
std::int64_t ColumnsPerPanel() { return kRightWidth; }
bool CanStream(const Matrix& result) {
  constexpr std::int64_t kBytes = kLanes * sizeof(float);
  return reinterpret_cast<std::uintptr_t>(result.data) % kBytes == 0 && result.stride % kLanes == 0 &&
         result.cols % kLanes == 0;
}

// Left tiles packed side by side when the memory rows run along the sides, so that more than a line is read of each.
constexpr std::int64_t kTilesAtOnce = 8;
constexpr std::int64_t kStepsAtOnce = 16;

void PackLeft(const Product& product, std::int64_t first_row, std::int64_t rows, float* packed) {
  const RowTiles tiles(rows);
  const bool side_major = product.left.layout == Factor::Layout::kSideMajor;
  const std::int64_t tiles_at_once = side_major ? 1 : kTilesAtOnce;
  const std::int64_t steps_at_once = side_major ? product.depth : kStepsAtOnce;
  for (std::int64_t group = 0; group < tiles.count; group += tiles_at_once) {
    const std::int64_t end = std::min(group + tiles_at_once, tiles.count);
    for (std::int64_t k = 0; k < product.depth; k += steps_at_once) {
      const std::int64_t steps = std::min(steps_at_once, product.depth - k);
      for (std::int64_t t = group; t < end; ++t) {
        pack<kLeftWidth>(product.left, product.rows, first_row + tiles.begin(t), tiles.begin(t + 1) - tiles.begin(t), k,
                         steps, packed + (t * product.depth + k) * kLeftWidth);
      }
    }
  }
}

// What one packing reads of a factor.
struct Source {
  const Factor* factor;
  std::int64_t first_side;
  std::int64_t sides;
  std::int64_t first_depth;
  std::int64_t depth;
};

// The lines of a source, its rows written to `rows`.
Fetch fetch_of(const Source& source, const char** rows) {
  const Factor& factor = *source.factor;
  const bool side_major = factor.layout == Factor::Layout::kSideMajor;
  const std::int64_t count = side_major ? source.sides : source.depth;
  const std::int64_t length = side_major ? source.depth : source.sides;
  const std::int64_t first_row = side_major ? source.first_side : source.first_depth;
  const std::int64_t offset = side_major ? source.first_depth : source.first_side;
  const char* const begin = factor.visit([](const auto* elements) { return reinterpret_cast<const char*>(elements); });
  const auto size = factor.visit([](const auto* elements) { return static_cast<std::int64_t>(sizeof(*elements)); });
  for (std::int64_t j = 0; j < count; ++j) {
    rows[j] = begin + (factor.row(first_row + j) * factor.stride + offset) * size;
  }
  const auto lines = static_cast<std::uint64_t>((length * size + kLineBytes - 1) / kLineBytes);
  const int shift = std::bit_width(lines - 1);
  return {rows, shift, 0, count << shift};
}

// Share `part` of `parts` of a fetch.
Fetch share_of(const Fetch& fetch, std::int64_t part, std::int64_t parts) {
  const std::int64_t lines = fetch.end - fetch.begin;
  return {fetch.rows, fetch.shift, fetch.begin + lines * part / parts, fetch.begin + lines * (part + 1) / parts};
}

// A piece is computed panel by panel: by columns, then outputs, then depth. Vectors of columns are shared out evenly.
struct Panels {
  Panels(const Product& product_, const ProductPiece& piece_)
      : product(product_),
        piece(piece_),
        blocks(product_.depth),
        vectors((piece_.cols + kLanes - 1) / kLanes),
        groups((vectors + kTileVectors - 1) / kTileVectors),
        count(groups * product_.outputs * blocks.count) {}

  std::size_t output(std::int64_t index) const {
    return static_cast<std::size_t>(index / blocks.count % product.outputs);
  }
  Source source(std::int64_t index) const {
    const std::int64_t block = index % blocks.count;
    const std::int64_t group = index / blocks.count / product.outputs;
    const std::int64_t col = group * vectors / groups * kLanes;
    return {&product.right[output(index)], piece.first_col + col,
            std::min((group + 1) * vectors / groups * kLanes, piece.cols) - col, blocks.begin(block),
            blocks.begin(block + 1) - blocks.begin(block)};
  }

  const Product& product;
  const ProductPiece& piece;
  DepthBlocks blocks;
  std::int64_t vectors;
  std::int64_t groups;
  std::int64_t count;
};

// One panel of kVectors vectors (the last of them may be partial) for all rows of the piece, while `next_right` and
// `next_left` are fetched.
template <int kVectors>
void run_panel(const Panels& panels, std::int64_t index, const PieceScratch& scratch, const Fetch& next_right,
               const Fetch& next_left) {
  constexpr int kWidth = kVectors * kLanes;
  const Product& product = panels.product;
  const Source source = panels.source(index);
  const Matrix& result = product.result[panels.output(index)];
  const bool add = product.accumulate || source.first_depth > 0;
  const Store store = add ? Store::kAdd : panels.piece.stream ? Store::kStream : Store::kSet;

  pack<kWidth>(*source.factor, product.cols, source.first_side, source.sides, source.first_depth, source.depth,
               scratch.right);
  const RowTiles tiles(panels.piece.rows);
  // Both are spread over the whole panel: the first half of the tiles asks for the one, the second for the other.
  const std::int64_t half = next_left.begin == next_left.end ? tiles.count : (tiles.count + 1) / 2;
  for (std::int64_t t = 0; t < tiles.count; ++t) {
    const std::int64_t row = tiles.begin(t);
    const std::int64_t rows = tiles.begin(t + 1) - row;
    const Fetch fetch = t < half ? share_of(next_right, t, half) : share_of(next_left, t - half, tiles.count - half);
    const float* packed_left = scratch.left + (t * product.depth + source.first_depth) * kLeftWidth;
    const Tile function = tile_of<kVectors>(rows);
    float* to = result.row(panels.piece.first_row + row) + source.first_side;
    if (source.sides == kWidth) {
      function(packed_left, scratch.right, source.depth, to, result.stride, store, fetch);
      continue;
    }
    HWY_ALIGN float edge[kTileRows * kWidth];
    function(packed_left, scratch.right, source.depth, edge, kWidth, Store::kSet, fetch);
    for (std::int64_t r = 0; r < rows; ++r) {
      for (std::int64_t c = 0; c < source.sides; ++c) {
        float& element = to[r * result.stride + c];
        element = add ? element + edge[r * kWidth + c] : edge[r * kWidth + c];
      }
    }
  }
}

HWY_INLINE void run_panel(const Panels& panels, std::int64_t index, const PieceScratch& scratch,
                          const Fetch& next_right, const Fetch& next_left) {
  static_assert(kTileVectors == 2 || kTileVectors == 3);
  const std::int64_t sides = panels.source(index).sides;
  if (sides > 2 * kLanes) return run_panel<kTileVectors>(panels, index, scratch, next_right, next_left);
  if (sides > kLanes) return run_panel<2>(panels, index, scratch, next_right, next_left);
  run_panel<1>(panels, index, scratch, next_right, next_left);
}

// Computes a piece whose left operand is packed. `next` is what this thread computes after it, or null; `next_packs`
// says that its left operand is not packed yet.
void RunPiece(const Product& product, const ProductPiece& piece, const PieceScratch& scratch,
              const Product* next_product, const ProductPiece* next, bool next_packs) {
  const Panels panels(product, piece);
  Fetch left_of_next;
  if (next != nullptr && next_packs) {
    left_of_next =
        fetch_of({&next_product->left, next->first_row, next->rows, 0, next_product->depth}, scratch.next_left);
  }
  for (std::int64_t index = 0; index < panels.count; ++index) {
    Fetch next_right;
    if (index + 1 < panels.count) {
      next_right = fetch_of(panels.source(index + 1), scratch.rows);
    } else if (next != nullptr) {
      next_right = fetch_of(Panels(*next_product, *next).source(0), scratch.rows);
    }
    run_panel(panels, index, scratch, next_right, share_of(left_of_next, index, panels.count));
  }
  if (piece.stream) hwy::FlushStream();
}

// Columns of weights that are read side by side in RunFewRows: as many chains of additions per row.
constexpr int kColumnsAtOnce = 4;

// Dot products of kRows rows with the columns of a piece, straight from memory: with so few rows, packing would take
// longer than reading. `sides` columns from `column` on are stored.
template <int kRows, class Element>
void few_rows(const Product& product, const ProductPiece& piece, std::size_t output, const Element* elements,
              std::int64_t column, std::int64_t sides) {
  const F32 d;
  using V = hn::Vec<F32>;
  const Factor& left = product.left;
  const Factor& right = product.right[output];
  const float* x[kRows];
  for (std::int64_t r = 0; r < kRows; ++r) x[r] = left.data + left.row(piece.first_row + r) * left.stride;
  const Element* weights[kColumnsAtOnce];
  V sums[kRows][kColumnsAtOnce];
#pragma GCC unroll 4
  for (int j = 0; j < kColumnsAtOnce; ++j) {
    weights[j] = elements + right.row(column + std::min<std::int64_t>(j, sides - 1)) * right.stride;
#pragma GCC unroll 4
    for (int r = 0; r < kRows; ++r) sums[r][j] = hn::Zero(d);
  }
  std::int64_t k = 0;
  for (; k + kLanes <= product.depth; k += kLanes) {
    V columns[kColumnsAtOnce];
#pragma GCC unroll 4
    for (int j = 0; j < kColumnsAtOnce; ++j) columns[j] = load_f32(d, weights[j] + k);
#pragma GCC unroll 4
    for (int r = 0; r < kRows; ++r) {
      const V row = hn::LoadU(d, x[r] + k);
#pragma GCC unroll 4
      for (int j = 0; j < kColumnsAtOnce; ++j) sums[r][j] = hn::MulAdd(columns[j], row, sums[r][j]);
    }
  }
  // Unrolled as well: indices known only at run time would keep the sums out of registers.
#pragma GCC unroll 4
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 4
    for (int j = 0; j < kColumnsAtOnce; ++j) {
      if (j >= sides) break;
      float sum = hn::GetLane(hn::SumOfLanes(d, sums[r][j]));
      for (std::int64_t rest = k; rest < product.depth; ++rest) sum += x[r][rest] * to_float(weights[j][rest]);
      float& to = product.result[output](piece.first_row + r, column + j);
      to = product.accumulate ? to + sum : sum;
    }
  }
}

// All columns of one output.
template <class Element>
void few_rows(const Product& product, const ProductPiece& piece, std::size_t output, const Element* elements) {
  static_assert(kFewRows == 4);
  constexpr decltype(&few_rows<1, Element>) kByRows[kFewRows] = {few_rows<1, Element>, few_rows<2, Element>,
                                                                 few_rows<3, Element>, few_rows<4, Element>};
  for (std::int64_t c = 0; c < piece.cols; c += kColumnsAtOnce) {
    const std::int64_t sides = std::min<std::int64_t>(kColumnsAtOnce, piece.cols - c);
    kByRows[piece.rows - 1](product, piece, output, elements, piece.first_col + c, sides);
  }
}

// Computes a piece of 1 .. kFewRows rows times bf16 or f16; nothing is packed.
void RunFewRows(const Product& product, const ProductPiece& piece) {
  for (std::size_t output = 0; output < static_cast<std::size_t>(product.outputs); ++output) {
    const Factor& right = product.right[output];
    right.bf16 != nullptr ? few_rows(product, piece, output, right.bf16) : few_rows(product, piece, output, right.f16);
  }
}

}  // namespace witan::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include "base/error.h"
#include "base/parallel.h"
#include "base/pool.h"

namespace witan::kernels {
HWY_EXPORT(LeftSize);
HWY_EXPORT(CanStream);
HWY_EXPORT(ColumnsPerPanel);
HWY_EXPORT(PackLeft);
HWY_EXPORT(RunPiece);
HWY_EXPORT(RunFewRows);

namespace {

// The packed left operand of a piece, all of its depth, should leave room for the rest in a 2 MiB level-2 cache.
constexpr std::int64_t kLeftBytes = 1 << 20;
// Results of more than this are not in the level-2 caches any more when they are read again.
constexpr std::int64_t kStreamBytes = 4 << 20;
// Past this, few rows would fit: the depth is cut and the results are visited again.
constexpr std::int64_t kMaxDepth = 4096;
// Columns of a piece: some 50 to 200 microseconds of work, and one packing of the left operand serves many pieces.
constexpr std::int64_t kPieceColumns = 128;
// Multiply-adds below which a second thread is not worth waking: some ten microseconds.
constexpr std::int64_t kGrainMultiplyAdds = 1 << 19;

// Uninitialized memory from the pool. Sizes follow the load of the experts, which differs from step to step: rounded up
// to a power of two, a few blocks serve them all.
template <class T>
class Scratch {
 public:
  explicit Scratch(std::int64_t count)
      : bytes_(std::bit_ceil(static_cast<std::size_t>(count) * sizeof(T))),
        data_(static_cast<T*>(pool_allocate(bytes_))) {}
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  ~Scratch() { pool_free(data_, bytes_); }
  T* data() const { return data_; }

 private:
  std::size_t bytes_;
  T* data_;
};

void set_to_zero(const Product& product) {
  for (int output = 0; output < product.outputs; ++output) {
    const Matrix& result = product.result[static_cast<std::size_t>(output)];
    for (std::int64_t r = 0; r < product.rows; ++r) std::fill_n(result.row(r), product.cols, 0.0F);
  }
}

// Rows per chunk: as many as fit, shared out evenly.
std::int64_t chunk_rows(const Product& product) {
  const std::int64_t bytes_per_row = product.depth * static_cast<std::int64_t>(sizeof(float));
  const std::int64_t most = std::max<std::int64_t>(kLeftBytes / bytes_per_row, 16);
  const std::int64_t chunks = (product.rows + most - 1) / most;
  return (product.rows + chunks - 1) / chunks;
}

struct Plan {
  PooledVector<ProductPiece> pieces;
  PooledVector<std::int64_t> cost_before;  // [pieces + 1]
  std::int64_t left_size = 0;
  std::int64_t right_size = 0;
  std::int64_t most_rows = 0;  // of one packing
};

// Whether the results are written once, and are more than the caches would keep for whoever reads them.
bool streams(const Product& product, std::int64_t bytes) {
  return product.written_for_later && !product.accumulate && product.depth <= kDepthBlock && bytes > kStreamBytes &&
         WITAN_DISPATCH(CanStream)(product.result[0]) &&
         (product.outputs == 1 || WITAN_DISPATCH(CanStream)(product.result[1]));
}

Plan plan_of(std::span<const Product> products) {
  const auto left_size = WITAN_DISPATCH(LeftSize);
  const std::int64_t panel = WITAN_DISPATCH(ColumnsPerPanel)();
  std::int64_t bytes = 0;
  for (const Product& product : products)
    bytes += product.rows * product.cols * static_cast<std::int64_t>(sizeof(float));
  Plan plan;
  plan.cost_before.push_back(0);
  for (std::size_t p = 0; p < products.size(); ++p) {
    const Product& product = products[p];
    if (product.rows == 0 || product.cols == 0 || product.depth == 0) continue;
    const bool stream = streams(product, bytes);
    const std::int64_t rows = chunk_rows(product);
    const std::int64_t cols = std::max(panel, kPieceColumns / product.outputs);
    plan.left_size = std::max(plan.left_size, left_size(rows, product.depth));
    plan.right_size = std::max(plan.right_size, std::min(product.depth, kDepthBlock) * panel);
    plan.most_rows = std::max({plan.most_rows, rows, product.depth, panel});
    for (std::int64_t r = 0; r < product.rows; r += rows) {
      for (std::int64_t c = 0; c < product.cols; c += cols) {
        const ProductPiece piece{p, r, std::min(rows, product.rows - r), c, std::min(cols, product.cols - c), stream};
        plan.pieces.push_back(piece);
        // Packing the right operand costs about as much as eight more rows.
        const std::int64_t work = (piece.rows + 8) * piece.cols * product.depth * product.outputs;
        plan.cost_before.push_back(plan.cost_before.back() + work);
      }
    }
  }
  return plan;
}

// Whether all of it is dot products: see RunFewRows.
bool has_few_rows(const Product& product) {
  return product.rows <= kFewRows && product.left.layout == Factor::Layout::kSideMajor &&
         std::all_of(product.right.begin(), product.right.begin() + product.outputs,
                     [](const Factor& factor) { return factor.is_brief(); });
}

bool same_left(const ProductPiece& a, const ProductPiece& b) {
  return a.product == b.product && a.first_row == b.first_row;
}

}  // namespace

// The factor from step `first` of the depth on.
Factor from_depth(Factor factor, std::int64_t first) {
  if (factor.layout == Factor::Layout::kSideMajor) {
    if (factor.bf16 != nullptr) {
      factor.bf16 += first;
    } else if (factor.f16 != nullptr) {
      factor.f16 += first;
    } else {
      factor.data += first;
    }
  } else if (factor.rows != nullptr) {
    factor.rows += first;
  } else {
    factor.data += first * factor.stride;
  }
  return factor;
}

void run_at_once(std::span<const Product> products, const std::function<void(const ResultBlock&)>& finished) {
  const Plan plan = plan_of(products);
  if (plan.pieces.empty()) return;
  const auto pack_left = WITAN_DISPATCH(PackLeft);
  const auto run_piece = WITAN_DISPATCH(RunPiece);
  const auto run_few_rows = WITAN_DISPATCH(RunFewRows);

  parallel_shares(plan.cost_before, kGrainMultiplyAdds, [&](const std::function<std::int64_t()>& next_task) {
    const Scratch<float> left(plan.left_size);
    const Scratch<float> right(plan.right_size);
    const Scratch<const char*> rows(2 * plan.most_rows);
    const PieceScratch scratch{left.data(), right.data(), rows.data(), rows.data() + plan.most_rows};
    const auto next_piece = [&]() -> const ProductPiece* {
      const std::int64_t task = next_task();
      return task < 0 ? nullptr : &plan.pieces[static_cast<std::size_t>(task)];
    };
    const ProductPiece* packed = nullptr;
    const ProductPiece* next = nullptr;
    for (const ProductPiece* piece = next_piece(); piece != nullptr; piece = next) {
      const Product& product = products[piece->product];
      if (has_few_rows(product)) {
        run_few_rows(product, *piece);
        if (finished) finished({piece->product, piece->first_row, piece->rows, piece->first_col, piece->cols});
        next = next_piece();
        continue;
      }
      if (packed == nullptr || !same_left(*packed, *piece)) {
        pack_left(product, piece->first_row, piece->rows, left.data());
        packed = piece;
      }
      next = next_piece();
      const Product* next_product = next == nullptr ? nullptr : &products[next->product];
      run_piece(product, *piece, scratch, next_product, next, next != nullptr && !same_left(*piece, *next));
      if (finished) finished({piece->product, piece->first_row, piece->rows, piece->first_col, piece->cols});
    }
  });
}

void run_products(std::span<const Product> products, const std::function<void(const ResultBlock&)>& finished) {
  std::int64_t deepest = 0;
  for (const Product& product : products) {
    WITAN_ASSERT(product.outputs == 1 || product.outputs == 2);
    WITAN_ASSERT(product.rows >= 0 && product.cols >= 0 && product.depth >= 0);
    WITAN_ASSERT(!product.left.is_brief());
    for (const Factor& factor : product.right) {
      WITAN_ASSERT(!factor.is_brief() || factor.layout == Factor::Layout::kSideMajor);
    }
    if (product.depth == 0 && !product.accumulate) set_to_zero(product);
    deepest = std::max(deepest, product.depth);
  }
  if (deepest <= kMaxDepth || finished) return run_at_once(products, finished);
  PooledVector<Product> slices(products.begin(), products.end());
  for (std::int64_t first = 0; first < deepest; first += kMaxDepth) {
    for (std::size_t p = 0; p < products.size(); ++p) {
      Product& slice = slices[p];
      slice.depth = std::clamp<std::int64_t>(products[p].depth - first, 0, kMaxDepth);
      slice.accumulate = products[p].accumulate || first > 0;
      slice.left = from_depth(products[p].left, first);
      for (std::size_t i = 0; i < slice.right.size(); ++i) slice.right[i] = from_depth(products[p].right[i], first);
    }
    run_at_once(slices, {});
  }
}

void run_products_reference(std::span<const Product> products) {
  const auto element = [](const Factor& factor, std::int64_t i, std::int64_t k) {
    const bool side_major = factor.layout == Factor::Layout::kSideMajor;
    const std::int64_t offset = factor.row(side_major ? i : k) * factor.stride + (side_major ? k : i);
    return factor.visit([&](const auto* elements) { return static_cast<double>(to_float(elements[offset])); });
  };
  for (const Product& product : products) {
    for (std::size_t output = 0; output < static_cast<std::size_t>(product.outputs); ++output) {
      for (std::int64_t i = 0; i < product.rows; ++i) {
        for (std::int64_t j = 0; j < product.cols; ++j) {
          float& to = product.result[output](i, j);
          double sum = product.accumulate ? static_cast<double>(to) : 0.0;
          for (std::int64_t k = 0; k < product.depth; ++k) {
            sum += element(product.left, i, k) * element(product.right[output], j, k);
          }
          to = static_cast<float>(sum);
        }
      }
    }
  }
}

}  // namespace witan::kernels
#endif
