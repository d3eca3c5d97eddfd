// Central differences, summed in double.
#include "support/gradient_check.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "base/random.h"

namespace witan::test {

testing::AssertionResult gradients_match(const std::function<Tensor(Tape&, std::span<const Tensor>)>& function,
                                         std::span<const Tensor> inputs, float step, float tolerance) {
  Tape tape(Tape::Mode::kRecording);
  for (const Tensor& input : inputs) input.grad().clear();
  const Tensor result = function(tape, inputs);
  Tensor projection = Tensor::uninitialized(result.shape());
  Random(7).fill_normal(projection.values(), 0.0F, 1.0F);
  if (!result.requires_grad()) return testing::AssertionFailure() << "the result does not require a gradient";
  tape.backward(result, projection);

  const auto objective = [&] {
    Tape off;
    const Tensor value = function(off, inputs);
    double sum = 0.0;
    for (std::size_t i = 0; i < value.values().size(); ++i) {
      sum += static_cast<double>(value.values()[i]) * static_cast<double>(projection.values()[i]);
    }
    return sum;
  };

  for (std::size_t which = 0; which < inputs.size(); ++which) {
    const Tensor& input = inputs[which];
    if (!input.requires_grad()) continue;
    const std::size_t size = input.values().size();
    std::vector<float> analytic(size, 0.0F);
    if (input.grad().present()) std::copy_n(input.grad().values().data(), size, analytic.begin());
    std::vector<float> numeric(size);
    float largest = 0.0F;
    for (std::size_t i = 0; i < size; ++i) {
      float& element = input.values()[i];
      const float saved = element;
      element = saved + step;
      const float above_at = element;
      const double above = objective();
      element = saved - step;
      const double below = objective();
      numeric[i] = static_cast<float>((above - below) / (static_cast<double>(above_at) - static_cast<double>(element)));
      element = saved;
      largest = std::max(largest, std::fabs(numeric[i]));
    }
    for (std::size_t i = 0; i < size; ++i) {
      const float difference = std::fabs(analytic[i] - numeric[i]);
      if (!(difference <= tolerance * (largest + 1e-3F))) {
        return testing::AssertionFailure() << "input " << which << " element " << i << ": gradient " << analytic[i]
                                           << ", central difference " << numeric[i] << " (largest " << largest << ")";
      }
    }
  }
  return testing::AssertionSuccess();
}

Tensor random_tensor(Shape shape, std::uint64_t seed, float scale) {
  Tensor tensor = Tensor::uninitialized(shape);
  Random(seed).fill_normal(tensor.values(), 0.0F, scale);
  tensor.set_requires_grad(true);
  return tensor;
}

}  // namespace witan::test
