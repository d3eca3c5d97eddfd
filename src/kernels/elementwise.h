// Arithmetic on whole arrays, and the sums that need care. Not fused with anything: what is hot has a kernel of its
// own.
#pragma once

#include <cstdint>
#include <span>

#include "base/views.h"

namespace witan::kernels {

// All spans of one call have the same length; an output may be one of the inputs. `accumulate`: add to what y holds.
void add(std::span<const float> a, std::span<const float> b, std::span<float> y);
// y (+)= factor * x.
void scale(std::span<const float> x, float factor, std::span<float> y, bool accumulate);
// y (+)= a * b.
void multiply(std::span<const float> a, std::span<const float> b, std::span<float> y, bool accumulate);
// y (+)= value.
void fill(float value, std::span<float> y, bool accumulate);

// y[r] (+)= factor[r] * x[r], x and y [R, C], factor [R].
void scale_rows(ConstMatrix x, std::span<const float> factor, Matrix y, bool accumulate);
// y[r] (+)= a[r] . b[r], a and b [R, C], y [R]. The sum is in double.
void row_dots(ConstMatrix a, ConstMatrix b, std::span<float> y, bool accumulate);

// y = 1 / (1 + exp(-x)), exact at both ends: no overflow.
void sigmoid(std::span<const float> x, std::span<float> y);
// dx (+)= dy * y * (1 - y).
void sigmoid_backward(std::span<const float> y, std::span<const float> dy, std::span<float> dx, bool accumulate);

void tanh(std::span<const float> x, std::span<float> y);
// dx (+)= dy * (1 - y^2).
void tanh_backward(std::span<const float> y, std::span<const float> dy, std::span<float> dx, bool accumulate);

// In double, block by block of a fixed size: the same bits for any number of threads. 0 when empty.
double sum(std::span<const float> x);
double sum_of_squares(std::span<const float> x);

// The same results from plain loops in double, for tests.
void add_reference(std::span<const float> a, std::span<const float> b, std::span<float> y);
void scale_reference(std::span<const float> x, float factor, std::span<float> y, bool accumulate);
void multiply_reference(std::span<const float> a, std::span<const float> b, std::span<float> y, bool accumulate);
void fill_reference(float value, std::span<float> y, bool accumulate);
void scale_rows_reference(ConstMatrix x, std::span<const float> factor, Matrix y, bool accumulate);
void row_dots_reference(ConstMatrix a, ConstMatrix b, std::span<float> y, bool accumulate);
void sigmoid_reference(std::span<const float> x, std::span<float> y);
void sigmoid_backward_reference(std::span<const float> y, std::span<const float> dy, std::span<float> dx,
                                bool accumulate);
void tanh_reference(std::span<const float> x, std::span<float> y);
void tanh_backward_reference(std::span<const float> y, std::span<const float> dy, std::span<float> dx, bool accumulate);
double sum_reference(std::span<const float> x);
double sum_of_squares_reference(std::span<const float> x);

}  // namespace witan::kernels
