// Dense models on disk for tests of upcycling and its reverse, and what models compute.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <vector>

#include "models/checkpoint_folder.h"
#include "models/initialize.h"
#include "support/tiny_models.h"

namespace witan::test {

inline DecoderConfig tiny_dense_config() {
  DecoderConfig config = tiny_config();
  config.first_k_dense_replace = config.num_hidden_layers;
  return config;
}

// A decoder whose every parameter is random, norms and biases too: those that are 1 or 0 at first would hide mistakes.
inline std::unique_ptr<Decoder> random_decoder(const DecoderConfig& config, std::uint64_t seed) {
  auto model = std::make_unique<Decoder>(config, seed);
  for (const Parameter& parameter : model->parameters()) {
    if (parameter.decay && parameter.value.shape().rank() > 1) continue;
    named_stream(seed, "random " + parameter.name).fill_uniform(parameter.value.values(), 0.3F, 1.2F);
  }
  return model;
}

inline void save_random_decoder(const DecoderConfig& config, const std::filesystem::path& folder,
                                std::uint64_t seed = 5, DType dtype = DType::kF32) {
  std::filesystem::create_directories(folder);
  save_model(*random_decoder(config, seed), folder, dtype);
}

inline std::vector<float> logits_of(Decoder& model) {
  const std::vector<std::int32_t> ids = {1, 5, 9, 13, 17, 21, 38, 0, 3, 3, 30, 7};
  Tape off;
  const Tensor result = model.logits(model.forward(off, ids, 2, 6, {}).hidden);
  return {result.values().begin(), result.values().end()};
}

inline std::vector<float> logits_of(const std::filesystem::path& folder) { return logits_of(*load_model(folder)); }

}  // namespace witan::test
