// A second forward pass with a look at every layer.
#include "training/divergence.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <vector>

#include "routers/not_finite.h"

namespace witan {
namespace {

bool all_finite(std::span<const float> values) {
  return std::all_of(values.begin(), values.end(), [](float value) { return std::isfinite(value); });
}

// The first layer whose output is not finite, in words; none when all are.
std::optional<std::string> first_bad_layer(Decoder& model, std::span<const std::int32_t> ids, std::int64_t batch,
                                           std::int64_t sequence, const RouterContext& context) {
  std::int64_t layer = 0;  // those before it have given their output
  std::optional<std::string> found;
  const TensorObserver observer = [&](const std::string& name, const Tensor& rows) {
    const bool of_layer = name == fmt::format("layers.{}.output", layer);
    if (found || !(of_layer || name == "embedding")) return;
    if (!all_finite(rows.values())) {
      found = of_layer ? fmt::format("layer {}: its output is not finite, its input is", layer)
                       : "the embedding: its rows are not finite";
    } else if (of_layer) {
      ++layer;
    }
  };
  Tape off;
  try {
    const DecoderOutput output = model.forward(off, ids, batch, sequence, context, nullptr, {.tensors = observer});
    if (!found && !all_finite(output.hidden.values())) found = "the final norm: its output is not finite";
  } catch (const ScoresNotFinite& error) {
    if (!found) found = fmt::format("layer {}: {}", layer, error.what());
  }
  return found;
}

}  // namespace

std::string locate_divergence(Decoder& model, std::span<const std::int32_t> ids, std::int64_t batch,
                              std::int64_t sequence, const RouterContext& context) {
  const std::vector<Parameter> parameters = model.parameters();
  for (const Parameter& parameter : parameters) {
    if (!all_finite(parameter.value.values())) return fmt::format("the weight {} is not finite", parameter.name);
  }
  if (const auto layer = first_bad_layer(model, ids, batch, sequence, context)) return *layer;
  for (auto parameter = parameters.rbegin(); parameter != parameters.rend(); ++parameter) {
    const Gradient& gradient = parameter->value.grad();
    if (gradient.present() && !all_finite(gradient.values())) {
      return fmt::format("the gradient of {} is not finite, the activations are", parameter->name);
    }
  }
  return "the loss: weights, activations and gradients are finite one by one";
}

}  // namespace witan
