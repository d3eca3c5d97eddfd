// What enters a network is what attention leaves on the residual stream, normalised as the block does it.
#include "models/upcycling/feed_forward_inputs.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <memory>

#include "autograd/ops/elementwise.h"
#include "base/error.h"
#include "base/interrupt.h"
#include "layers/norm.h"
#include "models/checkpoint_folder.h"

namespace witan {
namespace {

double length_of(std::span<const double> values) {
  double squares = 0.0;
  for (const double value : values) squares += value * value;
  return std::max(std::sqrt(squares), 1e-30);
}

void add_directions(const Tensor& rows, std::vector<double>& sum) {
  std::vector<double> row(sum.size());
  for (std::int64_t r = 0; r < rows.rows(); ++r) {
    std::copy_n(rows.matrix().row(r), row.size(), row.begin());
    const double length = length_of(row);
    for (std::size_t i = 0; i < row.size(); ++i) sum[i] += row[i] / length;
  }
}

// The norm between attention and the network of each layer: behind attention in a model of post_norm.
std::vector<Norm> norms_of(const DenseModel& dense) {
  const DecoderConfig& config = dense.config();
  std::vector<Norm> norms;
  for (std::int64_t layer = 0; layer < config.num_hidden_layers; ++layer) {
    norms.emplace_back(config.hidden_size,
                       NormOptions{config.norm, config.norm_bias, static_cast<float>(config.rms_norm_eps)});
    std::vector<Parameter> parameters;
    norms.back().append_parameters(fmt::format("model.layers.{}.post_attention_layernorm", layer), parameters);
    for (const Parameter& parameter : parameters) dense.read(parameter.name, parameter.value.values());
  }
  return norms;
}

Tensor network_input(const DecoderConfig& config, const Norm& norm, const Tensor& stream, const Tensor& attention) {
  Tape off;
  Tensor added = config.post_norm ? norm.forward(off, attention) : attention;
  added = ops::scale(off, added, static_cast<float>(config.residual_multiplier));
  const Tensor middle = ops::add(off, stream, added);
  return config.post_norm ? middle : norm.forward(off, middle);
}

}  // namespace

std::vector<std::vector<float>> mean_feed_forward_inputs(const DenseModel& dense,
                                                         std::span<const std::vector<std::int32_t>> prompts) {
  const DecoderConfig& config = dense.config();
  const auto layers = static_cast<std::size_t>(config.num_hidden_layers);
  const auto hidden = static_cast<std::size_t>(config.hidden_size);
  const auto longest = static_cast<std::size_t>(config.max_position_embeddings);
  if (std::ranges::all_of(prompts, [](const auto& prompt) { return prompt.empty(); })) {
    fail("{}: no prompts to make its router rows of", dense.folder().string());
  }
  std::vector<std::vector<double>> sums(layers, std::vector<double>(hidden, 0.0));
  const std::vector<Norm> norms = norms_of(dense);
  Tensor stream;
  std::size_t layer = 0;
  const auto observer = [&](const std::string& name, const Tensor& tensor) {
    if (name == "embedding") {
      stream = tensor;
      layer = 0;
    } else if (name == fmt::format("layers.{}.attention", layer)) {
      add_directions(network_input(config, norms[layer], stream, tensor), sums[layer]);
    } else if (name == fmt::format("layers.{}.output", layer)) {
      stream = tensor;
      ++layer;
    }
  };
  const std::unique_ptr<Decoder> model = load_model(dense.folder());
  for (const std::vector<std::int32_t>& prompt : prompts) {
    throw_if_interrupted();
    if (prompt.empty()) continue;
    const auto ids = std::span<const std::int32_t>(prompt).first(std::min(prompt.size(), longest));
    Tape off;
    model->forward(off, ids, 1, static_cast<std::int64_t>(ids.size()), {}, nullptr, {.tensors = observer});
    WITAN_ASSERT(layer == layers);
  }
  std::vector<std::vector<float>> means;
  for (const std::vector<double>& sum : sums) {
    const double length = length_of(sum);
    std::vector<float>& mean = means.emplace_back(hidden);
    std::ranges::transform(sum, mean.begin(), [=](double value) { return static_cast<float>(value / length); });
  }
  return means;
}

}  // namespace witan
