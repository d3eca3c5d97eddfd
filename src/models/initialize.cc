// Normal weights, each parameter from the stream of its name.
#include "models/initialize.h"

#include <cmath>

#include "models/decoder.h"

namespace witan {
namespace {

bool contains(std::string_view text, std::string_view part) { return text.find(part) != std::string_view::npos; }

bool drawn_elsewhere(std::string_view name) { return contains(name, ".mlp.gate.") || contains(name, ".mlp.router."); }

// What is added to the residual stream: there are two of these per layer, and their variances add up.
bool ends_in_residual(std::string_view name) { return contains(name, ".o_proj") || contains(name, ".down_proj"); }

}  // namespace

Random named_stream(std::uint64_t seed, std::string_view name) {
  std::uint64_t hash = 0xcbf29ce484222325ULL;  // FNV-1a, the same everywhere, which std::hash is not
  for (const char c : name) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
  return Random(seed, hash);
}

void initialize_weights(const std::vector<Parameter>& parameters, const DecoderConfig& config, std::uint64_t seed) {
  const double residual_factor = 1.0 / std::sqrt(2.0 * static_cast<double>(config.num_hidden_layers));
  for (const Parameter& parameter : parameters) {
    const bool vector = parameter.value.shape().rank() < 2 || parameter.name.ends_with("_bias");  // norms and biases
    if (vector || drawn_elsewhere(parameter.name)) continue;
    const double deviation = config.initializer_range * (ends_in_residual(parameter.name) ? residual_factor : 1.0);
    named_stream(seed, parameter.name).fill_normal(parameter.value.values(), 0.0F, static_cast<float>(deviation));
  }
}

}  // namespace witan
