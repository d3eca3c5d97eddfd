// A dense decoder on disk, from which experts are made: nothing of its weights is held.
#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "models/stored_weights.h"

namespace witan {

class DenseModel {
 public:
  // A folder without a mixture in any layer, or with mixtures of one expert whose weight is always 1 (`witan train
  // --router dense --num-experts 1`), which compute the same. Throws Error as load_model does, and for a real mixture.
  explicit DenseModel(const std::filesystem::path& folder);

  // Without mixtures; see without_mixtures().
  const DecoderConfig& config() const { return config_; }
  const std::filesystem::path& folder() const { return weights_.folder(); }
  // Under the names of a dense decoder: "model.layers.0.mlp.up_proj" [1, F, D].
  const std::vector<ParameterOutline>& parameters() const { return parameters_; }
  DType dtype(const std::string& parameter) const { return stored_.dtype(stored_name_of(parameter)); }
  // All of it: out [numel]. Throws Error naming the tensor.
  void read(const std::string& parameter, std::span<float> out) const;

 private:
  std::string stored_name_of(const std::string& parameter) const;
  std::vector<ParameterOutline> stored_outline() const;

  StoredWeights weights_;
  DecoderConfig config_;
  std::vector<ParameterOutline> parameters_;
  StoredParameters stored_;
};

}  // namespace witan
