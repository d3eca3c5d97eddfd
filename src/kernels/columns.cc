// Column kernels with Highway: tiles of 4 x 4 products share their loads, four predictors' columns share a load of the
// sum.
#include "kernels/columns.h"

#include <algorithm>
#include <array>
#include <cstddef>

#include "base/error.h"
#include "kernels/isa.h"
//
#include "hwy/foreach_target.h"
//
#include "hwy/contrib/math/math-inl.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace witan::kernels::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using D = hn::ScalableTag<double>;
using V = hn::Vec<D>;

void LinearCombination(const double* const* columns, std::size_t count, const double* coefficients, std::int64_t rows,
                       double* out) {
  const D d;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  std::int64_t r = 0;
  for (; r + 2 * lanes <= rows; r += 2 * lanes) {
    V sum0 = hn::Zero(d);
    V sum1 = sum0;
    for (std::size_t j = 0; j < count; ++j) {
      const V factor = hn::Set(d, coefficients[j]);
      sum0 = hn::MulAdd(factor, hn::LoadU(d, columns[j] + r), sum0);
      sum1 = hn::MulAdd(factor, hn::LoadU(d, columns[j] + r + lanes), sum1);
    }
    hn::StoreU(sum0, d, out + r);
    hn::StoreU(sum1, d, out + r + lanes);
  }
  for (; r < rows; ++r) {
    double sum = 0.0;
    for (std::size_t j = 0; j < count; ++j) sum += coefficients[j] * columns[j][r];
    out[r] = sum;
  }
}

// The 4 x 4 sums of products of four columns with four columns.
void ProductTile(const double* const* a, const double* weights, const double* const* b, std::int64_t rows,
                 double* sums) {
  const D d;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  V s00 = hn::Zero(d), s01 = s00, s02 = s00, s03 = s00, s10 = s00, s11 = s00, s12 = s00, s13 = s00;
  V s20 = s00, s21 = s00, s22 = s00, s23 = s00, s30 = s00, s31 = s00, s32 = s00, s33 = s00;
  std::int64_t r = 0;
  for (; r + lanes <= rows; r += lanes) {
    const V w = hn::LoadU(d, weights + r);
    const V b0 = hn::LoadU(d, b[0] + r);
    const V b1 = hn::LoadU(d, b[1] + r);
    const V b2 = hn::LoadU(d, b[2] + r);
    const V b3 = hn::LoadU(d, b[3] + r);
    V a_r = hn::Mul(w, hn::LoadU(d, a[0] + r));
    s00 = hn::MulAdd(a_r, b0, s00);
    s01 = hn::MulAdd(a_r, b1, s01);
    s02 = hn::MulAdd(a_r, b2, s02);
    s03 = hn::MulAdd(a_r, b3, s03);
    a_r = hn::Mul(w, hn::LoadU(d, a[1] + r));
    s10 = hn::MulAdd(a_r, b0, s10);
    s11 = hn::MulAdd(a_r, b1, s11);
    s12 = hn::MulAdd(a_r, b2, s12);
    s13 = hn::MulAdd(a_r, b3, s13);
    a_r = hn::Mul(w, hn::LoadU(d, a[2] + r));
    s20 = hn::MulAdd(a_r, b0, s20);
    s21 = hn::MulAdd(a_r, b1, s21);
    s22 = hn::MulAdd(a_r, b2, s22);
    s23 = hn::MulAdd(a_r, b3, s23);
    a_r = hn::Mul(w, hn::LoadU(d, a[3] + r));
    s30 = hn::MulAdd(a_r, b0, s30);
    s31 = hn::MulAdd(a_r, b1, s31);
    s32 = hn::MulAdd(a_r, b2, s32);
    s33 = hn::MulAdd(a_r, b3, s33);
  }
  const auto sum = [&](V v) HWY_ATTR { return hn::GetLane(hn::SumOfLanes(d, v)); };
  const double vector_sums[16] = {sum(s00), sum(s01), sum(s02), sum(s03), sum(s10), sum(s11), sum(s12), sum(s13),
                                  sum(s20), sum(s21), sum(s22), sum(s23), sum(s30), sum(s31), sum(s32), sum(s33)};
  for (std::size_t i = 0; i < 4; ++i) {
    for (std::size_t j = 0; j < 4; ++j) {
      double total = vector_sums[4 * i + j];
      for (std::int64_t tail = r; tail < rows; ++tail) total += weights[tail] * a[i][tail] * b[j][tail];
      sums[4 * i + j] = total;
    }
  }
}

void ColumnSoftmax(double* const* columns, std::size_t count, std::int64_t rows, double* log_sums) {
  const D d;
  const auto lanes = static_cast<std::int64_t>(hn::Lanes(d));
  // The last vector of a block that is no multiple of the lanes is computed in this, padded by zeros.
  HWY_ALIGN double padded[HWY_MAX_BYTES / sizeof(double)];
  const auto load = [&](const double* from, std::int64_t left) HWY_ATTR {
    if (left >= lanes) return hn::LoadU(d, from);
    std::fill_n(padded, lanes, 0.0);
    std::copy_n(from, left, padded);
    return hn::Load(d, padded);
  };
  const auto store = [&](V v, double* to, std::int64_t left) HWY_ATTR {
    if (left >= lanes) {
      hn::StoreU(v, d, to);
    } else {
      hn::Store(v, d, padded);
      std::copy_n(padded, left, to);
    }
  };
  for (std::int64_t r = 0; r < rows; r += lanes) {
    const std::int64_t left = rows - r;
    V top = load(columns[0] + r, left);
    for (std::size_t k = 1; k < count; ++k) top = hn::Max(top, load(columns[k] + r, left));
    V total = hn::Zero(d);
    for (std::size_t k = 0; k < count; ++k) {
      const V e = hn::Exp(d, hn::Sub(load(columns[k] + r, left), top));
      total = hn::Add(total, e);
      store(e, columns[k] + r, left);
    }
    const V scale = hn::Div(hn::Set(d, 1.0), total);
    for (std::size_t k = 0; k < count; ++k) {
      store(hn::Mul(load(columns[k] + r, left), scale), columns[k] + r, left);
    }
    store(hn::Add(top, hn::Log(d, total)), log_sums + r, left);
  }
}

}  // namespace witan::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace witan::kernels {
HWY_EXPORT(LinearCombination);
HWY_EXPORT(ProductTile);
HWY_EXPORT(ColumnSoftmax);

namespace {

constexpr std::size_t kTile = 4;

// Four columns from `first` on; past the end the last one again, whose sums nobody takes.
std::array<const double*, kTile> tile_of(std::span<const double* const> columns, std::size_t first) {
  std::array<const double*, kTile> tile{};
  for (std::size_t i = 0; i < kTile; ++i) tile[i] = columns[std::min(first + i, columns.size() - 1)];
  return tile;
}

void add_products(std::span<const double* const> left, const double* weights, std::span<const double* const> right,
                  std::int64_t rows, bool upper_only, double* sums) {
  const auto product_tile = WITAN_DISPATCH(ProductTile);
  std::array<double, kTile * kTile> tile_sums{};
  for (std::size_t i = 0; i < left.size(); i += kTile) {
    const auto a = tile_of(left, i);
    for (std::size_t j = upper_only ? i : 0; j < right.size(); j += kTile) {
      const auto b = tile_of(right, j);
      product_tile(a.data(), weights, b.data(), rows, tile_sums.data());
      for (std::size_t row = i; row < std::min(i + kTile, left.size()); ++row) {
        for (std::size_t col = upper_only ? std::max(row, j) : j; col < std::min(j + kTile, right.size()); ++col) {
          sums[row * right.size() + col] += tile_sums[(row - i) * kTile + col - j];
        }
      }
    }
  }
}

}  // namespace

void linear_combination(std::span<const double* const> columns, const double* coefficients, std::int64_t rows,
                        double* out) {
  WITAN_DISPATCH(LinearCombination)(columns.data(), columns.size(), coefficients, rows, out);
}

void weighted_products(std::span<const double* const> left, const double* weights, std::span<const double* const> right,
                       std::int64_t rows, double* sums) {
  add_products(left, weights, right, rows, false, sums);
}

void weighted_gram(std::span<const double* const> columns, const double* weights, std::int64_t rows, double* sums) {
  add_products(columns, weights, columns, rows, true, sums);
}

void column_softmax(std::span<double* const> columns, std::int64_t rows, double* log_sums) {
  WITAN_ASSERT(!columns.empty());
  WITAN_DISPATCH(ColumnSoftmax)(columns.data(), columns.size(), rows, log_sums);
}

}  // namespace witan::kernels
#endif  // HWY_ONCE
