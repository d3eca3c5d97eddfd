// Names by the rules of an architecture.
#include "models/stored_pieces.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/error.h"

namespace witan {
namespace {

constexpr std::string_view kLayers = "model.layers.";
constexpr std::string_view kExpert = "{}";

// "model.layers.3.mlp.gate.weight" -> where "mlp.gate.weight" begins; the name's end when it belongs to no layer.
std::size_t local_begin(std::string_view name) {
  if (!name.starts_with(kLayers)) return name.size();
  const std::size_t dot = name.find('.', kLayers.size());
  WITAN_ASSERT(dot != std::string_view::npos);
  return dot + 1;
}

void add_experts(const std::string& prefix, std::string_view pattern, const Tensor& bank,
                 std::vector<StoredPiece>& pieces) {
  const std::size_t at = pattern.find(kExpert);
  const auto size = static_cast<std::size_t>(bank.numel() / bank.dim(0));
  for (std::int64_t expert = 0; expert < bank.dim(0); ++expert) {
    std::string name = prefix + std::string(pattern);
    name.replace(prefix.size() + at, kExpert.size(), fmt::format("{}", expert));
    const std::span<float> values = bank.values().subspan(static_cast<std::size_t>(expert) * size, size);
    pieces.push_back({std::move(name), dimensions(bank.shape(), 1), values});
  }
}

}  // namespace

std::vector<std::int64_t> dimensions(const Shape& shape, int first) {
  std::vector<std::int64_t> result;
  for (int i = first; i < shape.rank(); ++i) result.push_back(shape[i]);
  return result;
}

std::vector<StoredPiece> stored_pieces(const Architecture& architecture, const std::vector<Parameter>& parameters) {
  std::vector<StoredPiece> pieces;
  for (const Parameter& parameter : parameters) {
    const std::size_t begin = local_begin(parameter.name);
    const std::string prefix = parameter.name.substr(0, begin);
    const std::string local = parameter.name.substr(begin);
    const auto rule = std::find_if(architecture.tensors.begin(), architecture.tensors.end(),
                                   [&](const TensorRule& candidate) { return candidate.ours == local; });
    const Tensor& value = parameter.value;
    if (local.empty() || rule == architecture.tensors.end()) {
      pieces.push_back({parameter.name, dimensions(value.shape()), value.values()});
    } else if (rule->stored.find(kExpert) != std::string_view::npos) {
      add_experts(prefix, rule->stored, value, pieces);
    } else {
      const bool bank_of_one = value.shape().rank() == 3 && value.dim(0) == 1;
      pieces.push_back(
          {prefix + std::string(rule->stored), dimensions(value.shape(), bank_of_one ? 1 : 0), value.values()});
    }
  }
  return pieces;
}

}  // namespace witan
