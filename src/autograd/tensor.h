// A dense f32 tensor and its gradient. A Tensor is a handle: copies share values and gradient. Values and gradient are
// held apart, so that an op may keep the one without the other. Not a view: rows are contiguous. Weights may be held as
// bfloat16 or float16 where nothing is trained: the linear maps, the experts and the embedding read them so.
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/bfloat16.h"
#include "base/float16.h"
#include "base/pool.h"
#include "base/views.h"

namespace witan {

// Up to four dimensions. Layers see a tensor as a matrix: rows = all dimensions but the last, cols = the last.
class Shape {
 public:
  Shape() = default;
  Shape(std::initializer_list<std::int64_t> dimensions);

  int rank() const { return rank_; }
  std::int64_t operator[](int dimension) const { return dimensions_[static_cast<std::size_t>(dimension)]; }
  std::int64_t numel() const;
  std::int64_t rows() const;
  std::int64_t cols() const { return rank_ == 0 ? 1 : dimensions_[static_cast<std::size_t>(rank_ - 1)]; }
  bool operator==(const Shape&) const = default;
  std::string to_string() const;  // "[1024, 512]"

 private:
  int rank_ = 0;
  std::array<std::int64_t, 4> dimensions_{};
};

struct GradientSlot;

// The gradient of a tensor, without its values. What the backward pass of an op keeps.
class Gradient {
 public:
  Gradient() = default;

  // Whether anyone needs this gradient; an op skips the work when not.
  bool wanted() const { return slot_ != nullptr; }
  // Whether anything has been accumulated.
  bool present() const;
  const Shape& shape() const;
  // The accumulated gradient; only when present(). One that came in rows is filled up with zeros first.
  std::span<float> values() const;
  Matrix matrix() const;

  // Where a backward pass writes: overwrite the memory (uninitialized) when `accumulate` is false, else add to it.
  struct Sink {
    float* data;
    bool accumulate;
    float beta() const { return accumulate ? 1.0F : 0.0F; }
  };
  // Marks the gradient as present: the caller must write every element.
  Sink sink() const;
  // Like sink(), with memory that is already zero when nothing was there: for scattered additions.
  std::span<float> accumulator() const;
  // For tables of which a batch reads few rows. A row is an index of the first dimension; `rows` ascend, each once.
  // -> where to add to each of them, zero where nothing was. Time and memory follow the rows that were ever named:
  // the others are zero without being stored, until somebody asks for all with values(), matrix() or sink().
  PooledVector<float*> add_rows(std::span<const std::int32_t> rows) const;
  // Whether only some rows are stored: stored_rows(), and one after the other in stored_values().
  bool in_rows() const;
  std::span<const std::int32_t> stored_rows() const;
  // Whatever is stored; all of it unless in_rows(). Only when present().
  std::span<float> stored_values() const;

  // Forgets the gradient and gives back its memory.
  void clear() const;

 private:
  friend class Tensor;
  void fill_up() const;  // from in_rows() to all of it
  std::shared_ptr<GradientSlot> slot_;
};

// How the values of a tensor are held.
enum class Precision { kF32, kBF16, kF16 };
std::string_view precision_name(Precision precision);  // "f32", "bf16", "f16"
std::size_t bytes_per_value(Precision precision);

class Tensor {
 public:
  Tensor() = default;  // undefined
  static Tensor uninitialized(Shape shape);
  static Tensor zeros(Shape shape, Precision precision = Precision::kF32);
  static Tensor full(Shape shape, float value);
  static Tensor from(Shape shape, std::span<const float> values);
  static Tensor scalar(float value);

  bool defined() const { return values_ != nullptr; }
  const Shape& shape() const { return shape_; }
  std::int64_t dim(int dimension) const { return shape_[dimension]; }
  std::int64_t numel() const { return shape_.numel(); }
  std::int64_t rows() const { return shape_.rows(); }
  std::int64_t cols() const { return shape_.cols(); }
  Precision precision() const { return precision_; }
  bool is_f32() const { return precision_ == Precision::kF32; }
  bool is_bf16() const { return precision_ == Precision::kBF16; }
  // The values of an f32 tensor, here and in values() and matrix().
  float* data() const;
  std::span<float> values() const { return {data(), static_cast<std::size_t>(numel())}; }
  Matrix matrix() const { return {data(), rows(), cols()}; }
  // The values of a bf16 tensor.
  std::span<BFloat16> bf16_values() const;
  // The values of an f16 tensor.
  std::span<Float16> f16_values() const;
  // Calls visit with the values as a matrix of whatever they are held as: MatrixView of float, BFloat16 or Float16.
  template <class Visit>
  decltype(auto) visit_matrix(const Visit& visit) const {
    if (precision_ == Precision::kBF16) return visit(MatrixView<BFloat16>(bf16_values().data(), rows(), cols()));
    if (precision_ == Precision::kF16) return visit(MatrixView<Float16>(f16_values().data(), rows(), cols()));
    return visit(matrix());
  }
  // The value of a tensor with one element.
  float item() const;

  // The same values and gradient under another shape with as many elements.
  Tensor reshaped(Shape shape) const;
  // The same values without a gradient: nothing flows back through it.
  Tensor detached() const;

  bool requires_grad() const { return gradient_.wanted(); }
  void set_requires_grad(bool wanted);
  const Gradient& grad() const { return gradient_; }

 private:
  std::shared_ptr<float[]> values_;  // of sixteen bits: half as many floats, and never read as such
  Shape shape_;
  Gradient gradient_;
  Precision precision_ = Precision::kF32;
};

}  // namespace witan
