// Gradients of an op against central differences.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <span>

#include "autograd/tape.h"

namespace witan::test {

// `function` computes a tensor of any shape from `inputs` on the tape. The scalar sum(result * r) with a fixed random r
// is differentiated by the tape and by central differences in every element of every input that requires a gradient.
// `step` is absolute; `tolerance` is relative to the largest gradient element of that input (plus 1e-3 of 1).
testing::AssertionResult gradients_match(const std::function<Tensor(Tape&, std::span<const Tensor>)>& function,
                                         std::span<const Tensor> inputs, float step = 1e-2F, float tolerance = 1e-2F);

// Tensor of standard normals that requires a gradient.
Tensor random_tensor(Shape shape, std::uint64_t seed, float scale = 1.0F);

}  // namespace witan::test
