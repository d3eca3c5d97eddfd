// The tensors of a checkpoint as a graph asks for them, one by one: each is checked before memory is taken for it, and
// at the end it is known which ones nobody asked for.
#pragma once

#include <set>
#include <span>
#include <string>

#include "autograd/tensor.h"
#include "models/released_files.h"

namespace witan {

class NamedTensors {
 public:
  // `files` must outlive this.
  explicit NamedTensors(const WeightFiles& files) : reader_(files.reader()), values_(files.values()) {}

  bool contains(const std::string& name) const { return values_.contains(name); }
  // Throws Error naming the tensor when it is missing or of another shape.
  void require(const std::string& name, std::span<const std::int64_t> shape) const;
  // Its values as f32. Throws as require() does.
  Tensor read(const std::string& name, Shape shape);
  void read_into(const std::string& name, std::span<const std::int64_t> shape, std::span<float> out);
  // Whether both hold the same bytes.
  bool same(const std::string& a, const std::string& b) const;
  bool same_shape(const std::string& a, const std::string& b) const;
  // Those that were never read.
  std::vector<std::string> unread() const;

 private:
  const SafetensorsReader& reader_;
  const StoredValues& values_;
  std::set<std::string> read_;
};

}  // namespace witan
