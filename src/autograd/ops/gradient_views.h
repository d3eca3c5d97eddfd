// From the gradient of a tensor to the view a backward kernel writes. Takes the sink, so that the kernel must write.
#pragma once

#include "autograd/tensor.h"
#include "kernels/gradient_view.h"

namespace witan::ops {

inline kernels::GradientView matrix_sink(const Gradient& gradient) {
  if (!gradient.wanted()) return {};
  const Gradient::Sink sink = gradient.sink();
  return {{sink.data, gradient.shape().rows(), gradient.shape().cols()}, sink.accumulate};
}

inline kernels::GradientRow row_sink(const Gradient& gradient) {
  if (!gradient.wanted()) return {};
  const Gradient::Sink sink = gradient.sink();
  return {sink.data, sink.accumulate};
}

}  // namespace witan::ops
