// From logits to the next token. Deterministic: the same options, logits and history draw the same token everywhere.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/config.h"
#include "base/random.h"

namespace witan {

struct SamplingOptions {
  double temperature = 0.8;  // 0: the most probable token, always
  std::int64_t top_k = 0;    // 0: off
  double top_p = 0.95;
  double min_p = 0.0;
  double repetition_penalty = 1.0;
  std::int64_t no_repeat_ngram_size = 0;  // 0: off
  std::int64_t seed = 0;
  // Tokens that are never said, and those that are not the first one. Released models name them; no flags.
  std::vector<std::int32_t> suppress_tokens;
  std::vector<std::int32_t> begin_suppress_tokens;

  Fields fields();
};

// What the options change of the logits before anything is drawn, by Hugging Face's processors: logits of tokens that
// stand in `history` are divided by the repetition penalty if positive, else multiplied (Keskar et al. 2019); tokens
// that are suppressed, or would complete a run of no_repeat_ngram_size tokens that stands in `history` already, get
// -inf. `begins`: the next token is the first one. Throws Error when that leaves no token.
void restrain(std::span<float> logits, std::span<const std::int32_t> history, const SamplingOptions& options,
              bool begins);
// Throws Error when a logit is NaN or +inf, or all are -inf.
void require_usable_logits(std::span<const float> logits);

class Sampler {
 public:
  // Throws Error for options out of bounds.
  explicit Sampler(const SamplingOptions& options);

  // logits [V]; `history`: the tokens so far, prompt included. In the order of Hugging Face's processors: restrain(),
  // temperature, top-k, top-p (Holtzman et al. 2020: the smallest set of most probable tokens that holds this share),
  // min-p (Nguyen et al. 2024: nothing below this share of the largest probability). Ties go to the lowest id. The
  // first call draws the first token. Throws Error when a logit is NaN or +inf, or all are -inf.
  std::int32_t sample(std::span<const float> logits, std::span<const std::int32_t> history);

 private:
  struct Candidate {
    float weight;  // exp((logit - max) / temperature), before normalisation
    std::int32_t id;
  };
  std::int32_t draw();
  void keep_top_k();
  void keep_top_p();

  SamplingOptions options_;
  Random random_;
  bool begins_ = true;
  std::vector<float> logits_;
  std::vector<Candidate> candidates_;
};

}  // namespace witan
