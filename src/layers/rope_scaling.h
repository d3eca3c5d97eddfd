// How the frequencies of RoPE are changed so that a model reaches further than it was trained: Hugging Face's
// `rope_scaling`. The rotation itself is in autograd/ops/rope.h.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/config.h"

namespace witan {

struct RopeScaling {
  std::string rope_type = "default";  // default | linear | dynamic | yarn | longrope | llama3
  double rope_factor = 1.0;
  // Of the training before it was stretched; 0: max_position_embeddings.
  std::int64_t original_max_position_embeddings = 0;
  // Cosines and sines are multiplied by this; 0: what the paper of the type says.
  double rope_attention_factor = 0.0;
  // yarn (Peng et al. 2023): pairs that turn more often than beta_fast within the original length keep their frequency,
  // those below beta_slow are divided by the factor. mscale: DeepSeek's way to say the attention factor.
  double rope_beta_fast = 32.0;
  double rope_beta_slow = 1.0;
  double rope_mscale = 0.0;
  double rope_mscale_all_dim = 0.0;
  bool rope_truncate = true;  // the bounds between the two are whole pairs
  // llama3: wavelengths in units of the original length.
  double rope_low_freq_factor = 1.0;
  double rope_high_freq_factor = 4.0;
  // longrope (Ding et al. 2024): a divisor per pair, separated by commas, for lengths up to the original one and beyond
  // it; and attention factors for both, 0: as the paper says.
  std::string rope_short_factor;
  std::string rope_long_factor;
  double rope_short_mscale = 0.0;
  double rope_long_mscale = 0.0;

  Fields fields();  // refers into this object
  // Throws Error for values that do not fit the type or the number of dimensions that turn.
  void validate(std::int64_t rotary_dim) const;
  // Whether frequencies change with the length of the sequence.
  bool depends_on_length() const { return rope_type == "dynamic" || rope_type == "longrope"; }
};

struct RopeFrequencies {
  std::vector<double> inverse;  // radians per position, [rotary_dim / 2]
  double factor = 1.0;          // of cosines and sines

  bool operator==(const RopeFrequencies&) const = default;
};

// For a sequence that has `length` positions by now. `max_positions`: max_position_embeddings of the config. As in
// Transformers 4.57, modeling_rope_utils.py; yarn goes by rope_factor, whatever max_positions is.
RopeFrequencies rope_frequencies(const RopeScaling& scaling, double theta, std::int64_t rotary_dim,
                                 std::int64_t max_positions, std::int64_t length);

// 0.1 m ln(factor) + 1, and 1 for factors up to 1 (Peng et al. 2023, as DeepSeek-V2 writes it).
double yarn_mscale(double factor, double m);

}  // namespace witan
