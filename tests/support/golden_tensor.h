// Tensors of the golden files: {"shape": [...], "values": [...]}.
#pragma once

#include <nlohmann/json.hpp>
#include <vector>

#include "autograd/tape.h"

namespace witan::test {

inline Shape shape_of(const nlohmann::json& sizes) {
  switch (sizes.size()) {
    case 0:
      return {};
    case 1:
      return {sizes[0].get<std::int64_t>()};
    case 2:
      return {sizes[0].get<std::int64_t>(), sizes[1].get<std::int64_t>()};
    default:
      return {sizes.at(0).get<std::int64_t>(), sizes.at(1).get<std::int64_t>(), sizes.at(2).get<std::int64_t>()};
  }
}

// A leaf that wants a gradient.
inline Tensor leaf_of(const nlohmann::json& described) {
  Tensor tensor = Tensor::from(shape_of(described.at("shape")), described.at("values").get<std::vector<float>>());
  tensor.set_requires_grad(true);
  return tensor;
}

}  // namespace witan::test
