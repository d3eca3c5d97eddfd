// Storage of tensors and gradients, from the pool.
#include "autograd/tensor.h"

#include <fmt/core.h>

#include <algorithm>
#include <functional>
#include <iterator>
#include <utility>

#include "base/error.h"
#include "base/pool.h"

namespace witan {
namespace {

std::shared_ptr<float[]> allocate(std::int64_t numel) {
  const std::size_t bytes = static_cast<std::size_t>(std::max<std::int64_t>(numel, 1)) * sizeof(float);
  return {static_cast<float*>(pool_allocate(bytes)), [bytes](float* block) { pool_free(block, bytes); },
          PoolAllocator<float>()};
}

}  // namespace

struct GradientSlot {
  Shape shape;
  std::shared_ptr<float[]> values;  // null until the first sink() or add_rows()
  bool in_rows = false;             // values are those of `rows` alone
  PooledVector<std::int32_t> rows;

  std::int64_t row_size() const { return shape.numel() / shape[0]; }
};

Shape::Shape(std::initializer_list<std::int64_t> dimensions) : rank_(static_cast<int>(dimensions.size())) {
  WITAN_ASSERT(dimensions.size() <= dimensions_.size());
  std::copy(dimensions.begin(), dimensions.end(), dimensions_.begin());
  for (const std::int64_t dimension : dimensions) WITAN_ASSERT(dimension >= 0);
}

std::int64_t Shape::numel() const {
  std::int64_t product = 1;
  for (int i = 0; i < rank_; ++i) product *= (*this)[i];
  return product;
}

std::int64_t Shape::rows() const {
  std::int64_t product = 1;
  for (int i = 0; i + 1 < rank_; ++i) product *= (*this)[i];
  return product;
}

std::string Shape::to_string() const {
  std::string text = "[";
  for (int i = 0; i < rank_; ++i) text += fmt::format("{}{}", i == 0 ? "" : ", ", (*this)[i]);
  return text + "]";
}

bool Gradient::present() const { return slot_ != nullptr && slot_->values != nullptr; }

const Shape& Gradient::shape() const {
  WITAN_ASSERT(wanted());
  return slot_->shape;
}

std::span<float> Gradient::values() const {
  WITAN_ASSERT(present());
  fill_up();
  return {slot_->values.get(), static_cast<std::size_t>(slot_->shape.numel())};
}

Matrix Gradient::matrix() const {
  WITAN_ASSERT(present());
  fill_up();
  return {slot_->values.get(), slot_->shape.rows(), slot_->shape.cols()};
}

Gradient::Sink Gradient::sink() const {
  WITAN_ASSERT(wanted());
  fill_up();
  const bool accumulate = slot_->values != nullptr;
  if (!accumulate) slot_->values = allocate(slot_->shape.numel());
  return {slot_->values.get(), accumulate};
}

std::span<float> Gradient::accumulator() const {
  const Sink sink = this->sink();
  const std::span<float> values = this->values();
  if (!sink.accumulate) std::fill(values.begin(), values.end(), 0.0F);
  return values;
}

bool Gradient::in_rows() const { return present() && slot_->in_rows; }

std::span<const std::int32_t> Gradient::stored_rows() const {
  WITAN_ASSERT(in_rows());
  return slot_->rows;
}

std::span<float> Gradient::stored_values() const {
  WITAN_ASSERT(present());
  const auto rows = static_cast<std::int64_t>(slot_->rows.size());
  const std::int64_t size = slot_->in_rows ? rows * slot_->row_size() : slot_->shape.numel();
  return {slot_->values.get(), static_cast<std::size_t>(size)};
}

void Gradient::fill_up() const {
  if (!in_rows()) return;
  const std::int64_t width = slot_->row_size();
  const std::shared_ptr<float[]> all = allocate(slot_->shape.numel());
  std::fill_n(all.get(), slot_->shape.numel(), 0.0F);
  for (std::size_t i = 0; i < slot_->rows.size(); ++i) {
    std::copy_n(slot_->values.get() + static_cast<std::int64_t>(i) * width, width, all.get() + slot_->rows[i] * width);
  }
  slot_->values = all;
  slot_->in_rows = false;
  slot_->rows.clear();
}

PooledVector<float*> Gradient::add_rows(std::span<const std::int32_t> rows) const {
  WITAN_ASSERT(wanted() && slot_->shape.rank() > 0 && slot_->shape[0] > 0);
  WITAN_ASSERT(std::adjacent_find(rows.begin(), rows.end(), std::greater_equal<>()) == rows.end());
  WITAN_ASSERT(rows.empty() || (rows.front() >= 0 && rows.back() < slot_->shape[0]));
  const std::int64_t width = slot_->row_size();
  PooledVector<float*> places;
  places.reserve(rows.size());
  if (present() && !slot_->in_rows) {
    for (const std::int32_t row : rows) places.push_back(slot_->values.get() + row * width);
    return places;
  }
  const PooledVector<std::int32_t> before = std::move(slot_->rows);
  const std::shared_ptr<float[]> old = std::move(slot_->values);
  slot_->rows.clear();
  std::set_union(before.begin(), before.end(), rows.begin(), rows.end(), std::back_inserter(slot_->rows));
  slot_->values = allocate(static_cast<std::int64_t>(slot_->rows.size()) * width);
  slot_->in_rows = true;
  std::size_t next_before = 0;
  std::size_t next_row = 0;
  float* place = slot_->values.get();
  for (const std::int32_t row : slot_->rows) {
    if (next_before < before.size() && before[next_before] == row) {
      std::copy_n(old.get() + static_cast<std::int64_t>(next_before++) * width, width, place);
    } else {
      std::fill_n(place, width, 0.0F);
    }
    if (next_row < rows.size() && rows[next_row] == row) {
      places.push_back(place);
      ++next_row;
    }
    place += width;
  }
  return places;
}

void Gradient::clear() const {
  if (slot_ == nullptr) return;
  slot_->values = nullptr;
  slot_->in_rows = false;
  slot_->rows.clear();
}

std::string_view precision_name(Precision precision) {
  constexpr std::array<std::string_view, 3> kNames = {"f32", "bf16", "f16"};
  return kNames.at(static_cast<std::size_t>(precision));
}

std::size_t bytes_per_value(Precision precision) {
  return precision == Precision::kF32 ? sizeof(float) : sizeof(BFloat16);
}

Tensor Tensor::uninitialized(Shape shape) {
  Tensor tensor;
  tensor.values_ = allocate(shape.numel());
  tensor.shape_ = shape;
  return tensor;
}

Tensor Tensor::zeros(Shape shape, Precision precision) {
  if (precision == Precision::kF32) return full(shape, 0.0F);
  Tensor tensor;
  tensor.values_ = allocate((shape.numel() + 1) / 2);
  tensor.shape_ = shape;
  tensor.precision_ = precision;
  tensor.visit_matrix([]<class T>(const MatrixView<T>& matrix) { std::fill_n(matrix.data, matrix.size(), T()); });
  return tensor;
}

Tensor Tensor::full(Shape shape, float value) {
  Tensor tensor = uninitialized(shape);
  std::fill_n(tensor.data(), tensor.numel(), value);
  return tensor;
}

Tensor Tensor::from(Shape shape, std::span<const float> values) {
  WITAN_ASSERT(shape.numel() == static_cast<std::int64_t>(values.size()));
  Tensor tensor = uninitialized(shape);
  std::copy(values.begin(), values.end(), tensor.data());
  return tensor;
}

Tensor Tensor::scalar(float value) { return full({}, value); }

float* Tensor::data() const {
  WITAN_ASSERT(is_f32());
  return values_.get();
}

std::span<BFloat16> Tensor::bf16_values() const {
  WITAN_ASSERT(is_bf16());
  return {reinterpret_cast<BFloat16*>(values_.get()), static_cast<std::size_t>(numel())};
}

std::span<Float16> Tensor::f16_values() const {
  WITAN_ASSERT(precision_ == Precision::kF16);
  return {reinterpret_cast<Float16*>(values_.get()), static_cast<std::size_t>(numel())};
}

float Tensor::item() const {
  WITAN_ASSERT(defined() && numel() == 1);
  return data()[0];
}

Tensor Tensor::reshaped(Shape shape) const {
  WITAN_ASSERT(shape.numel() == numel());
  Tensor tensor = *this;
  tensor.shape_ = shape;
  return tensor;
}

Tensor Tensor::detached() const {
  Tensor tensor = *this;
  tensor.gradient_ = {};
  return tensor;
}

void Tensor::set_requires_grad(bool wanted) {
  WITAN_ASSERT(!wanted || is_f32());
  if (!wanted) {
    gradient_.slot_ = nullptr;
  } else if (!requires_grad()) {
    gradient_.slot_ = std::allocate_shared<GradientSlot>(PoolAllocator<GradientSlot>());
    gradient_.slot_->shape = shape_;
  }
}

}  // namespace witan
