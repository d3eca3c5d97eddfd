// Reading by name.
#include "models/named_tensors.h"

#include <algorithm>

#include "base/error.h"
#include "models/stored_pieces.h"

namespace witan {

void NamedTensors::require(const std::string& name, std::span<const std::int64_t> shape) const {
  const std::vector<std::int64_t> stored = values_.shape(name);
  if (std::ranges::equal(stored, shape)) return;
  fail("tensor '{}': shape {}, but config.json asks for {}", name, shape_text(stored), shape_text(shape));
}

Tensor NamedTensors::read(const std::string& name, Shape shape) {
  require(name, dimensions(shape));
  Tensor tensor = Tensor::uninitialized(shape);
  read_into(name, dimensions(shape), tensor.values());
  return tensor;
}

void NamedTensors::read_into(const std::string& name, std::span<const std::int64_t> shape, std::span<float> out) {
  require(name, shape);
  values_.read(name, shape, 0, 1, out);
  for (std::string& part : values_.parts(name)) read_.insert(std::move(part));
}

bool NamedTensors::same(const std::string& a, const std::string& b) const {
  const StoredTensor& first = reader_.tensor(a);
  const StoredTensor& second = reader_.tensor(b);
  return first.dtype == second.dtype && first.shape == second.shape && std::ranges::equal(first.bytes, second.bytes);
}

bool NamedTensors::same_shape(const std::string& a, const std::string& b) const {
  return reader_.tensor(a).shape == reader_.tensor(b).shape;
}

std::vector<std::string> NamedTensors::unread() const {
  std::vector<std::string> names;
  for (const auto& [name, tensor] : reader_.tensors()) {
    if (!read_.contains(name)) names.push_back(name);
  }
  return names;
}

}  // namespace witan
