// Where a backward kernel writes a gradient.
#pragma once

#include "base/views.h"

namespace witan::kernels {

// Not wanted when matrix.data is null; added to what is there with `accumulate`, else overwritten.
struct GradientView {
  Matrix matrix;
  bool accumulate = false;

  bool wanted() const { return matrix.data != nullptr; }
};

// The same for a vector, whose length the kernel knows.
struct GradientRow {
  float* data = nullptr;
  bool accumulate = false;

  bool wanted() const { return data != nullptr; }
};

}  // namespace witan::kernels
