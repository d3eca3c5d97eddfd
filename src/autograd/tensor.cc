// Storage of tensors and gradients, from the pool.
#include "autograd/tensor.h"

#include <fmt/core.h>

#include <algorithm>

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
  std::shared_ptr<float[]> values;  // null until the first sink()
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
  return {slot_->values.get(), static_cast<std::size_t>(slot_->shape.numel())};
}

Matrix Gradient::matrix() const {
  WITAN_ASSERT(present());
  return {slot_->values.get(), slot_->shape.rows(), slot_->shape.cols()};
}

Gradient::Sink Gradient::sink() const {
  WITAN_ASSERT(wanted());
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

void Gradient::clear() const {
  if (slot_ != nullptr) slot_->values = nullptr;
}

Tensor Tensor::uninitialized(Shape shape) {
  Tensor tensor;
  tensor.values_ = allocate(shape.numel());
  tensor.shape_ = shape;
  return tensor;
}

Tensor Tensor::zeros(Shape shape) { return full(shape, 0.0F); }

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
  if (!wanted) {
    gradient_.slot_ = nullptr;
  } else if (!requires_grad()) {
    gradient_.slot_ = std::allocate_shared<GradientSlot>(PoolAllocator<GradientSlot>());
    gradient_.slot_->shape = shape_;
  }
}

}  // namespace witan
