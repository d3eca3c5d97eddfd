// From the gradient of a tensor to the view a backward kernel writes. Takes the sink, so that the kernel must write.
#pragma once

#include "autograd/tensor.h"
#include "base/error.h"
#include "kernels/gradient_view.h"

namespace witan::ops {

// As a matrix of the shape under which the op saw the tensor: a gradient itself has that of the tensor that was
// reshaped.
inline kernels::GradientView matrix_sink(const Gradient& gradient, const Shape& seen) {
  if (!gradient.wanted()) return {};
  WITAN_ASSERT(gradient.shape().numel() == seen.numel());
  const Gradient::Sink sink = gradient.sink();
  return {{sink.data, seen.rows(), seen.cols()}, sink.accumulate};
}

inline kernels::GradientView matrix_sink(const Gradient& gradient) {
  return gradient.wanted() ? matrix_sink(gradient, gradient.shape()) : kernels::GradientView();
}

inline kernels::GradientRow row_sink(const Gradient& gradient) {
  if (!gradient.wanted()) return {};
  const Gradient::Sink sink = gradient.sink();
  return {sink.data, sink.accumulate};
}

}  // namespace witan::ops
