// Parameters of layers.
#include "layers/parameters.h"

#include <string>

namespace witan {

Tensor trained_tensor(Shape shape, float value) {
  Tensor tensor = Tensor::full(shape, value);
  tensor.set_requires_grad(true);
  return tensor;
}

Tensor weight_tensor(Shape shape, Precision precision) {
  Tensor tensor = Tensor::zeros(shape, precision);
  tensor.set_requires_grad(precision == Precision::kF32);
  return tensor;
}

void append_prefixed(std::vector<Parameter>& whole, std::string_view prefix, const std::vector<Parameter>& part) {
  for (const Parameter& parameter : part) {
    whole.push_back({std::string(prefix) + parameter.name, parameter.value, parameter.decay});
  }
}

void append_vector(std::vector<Parameter>& all, std::string_view name, const Tensor& value) {
  if (value.defined()) all.push_back({std::string(name), value, false});
}

}  // namespace witan
