// Making and naming the parameters of layers.
#pragma once

#include <string_view>
#include <vector>

#include "witan/parameter.h"

namespace witan {

// A tensor that training changes, every element `value` at first.
Tensor trained_tensor(Shape shape, float value);

// A matrix of weights, all zeros for a model to fill: trained when it is f32, else held for inference.
Tensor weight_tensor(Shape shape, Precision precision);

// Adds the parameters of a part under `prefix` ("self_attn.") to those of the whole.
void append_prefixed(std::vector<Parameter>& whole, std::string_view prefix, const std::vector<Parameter>& part);

// Adds a norm's weight, a bias or the like, which weight decay spares; nothing when it is undefined.
void append_vector(std::vector<Parameter>& all, std::string_view name, const Tensor& value);

}  // namespace witan
