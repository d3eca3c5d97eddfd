// Frequencies of the kinds of RoPE, in double.
#include "layers/rope_scaling.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "base/error.h"
#include "base/number_list.h"

namespace witan {
namespace {

std::int64_t original_length(const RopeScaling& scaling, std::int64_t max_positions) {
  return scaling.original_max_position_embeddings > 0 ? scaling.original_max_position_embeddings : max_positions;
}

std::vector<double> plain_frequencies(double theta, std::int64_t rotary_dim) {
  std::vector<double> inverse;
  for (std::int64_t i = 0; i < rotary_dim; i += 2) {
    inverse.push_back(std::pow(theta, -static_cast<double>(i) / static_cast<double>(rotary_dim)));
  }
  return inverse;
}

// The pair (not rounded) that turns `rotations` times within the original length.
double correction_pair(double rotations, double theta, double rotary_dim, double original) {
  return rotary_dim * std::log(original / (rotations * 2.0 * std::numbers::pi)) / (2.0 * std::log(theta));
}

void apply_yarn(const RopeScaling& scaling, double theta, double rotary_dim, double original,
                std::vector<double>& inverse) {
  double low = correction_pair(scaling.rope_beta_fast, theta, rotary_dim, original);
  double high = correction_pair(scaling.rope_beta_slow, theta, rotary_dim, original);
  if (scaling.rope_truncate) {
    low = std::floor(low);
    high = std::ceil(high);
  }
  low = std::max(low, 0.0);
  high = std::min(high, rotary_dim - 1.0);
  if (low == high) high += 0.001;
  for (std::size_t i = 0; i < inverse.size(); ++i) {
    const double stretched = std::clamp((static_cast<double>(i) - low) / (high - low), 0.0, 1.0);
    inverse[i] = inverse[i] / scaling.rope_factor * stretched + inverse[i] * (1.0 - stretched);
  }
}

void apply_llama3(const RopeScaling& scaling, double original, std::vector<double>& inverse) {
  const double low = scaling.rope_low_freq_factor;
  const double high = scaling.rope_high_freq_factor;
  for (double& frequency : inverse) {
    const double turns = original * frequency / (2.0 * std::numbers::pi);  // within the original length
    const double kept = std::clamp((turns - low) / (high - low), 0.0, 1.0);
    frequency = (1.0 - kept) * frequency / scaling.rope_factor + kept * frequency;
  }
}

double yarn_attention_factor(const RopeScaling& scaling) {
  if (scaling.rope_attention_factor > 0.0) return scaling.rope_attention_factor;
  if (scaling.rope_mscale > 0.0 && scaling.rope_mscale_all_dim > 0.0) {
    return yarn_mscale(scaling.rope_factor, scaling.rope_mscale) /
           yarn_mscale(scaling.rope_factor, scaling.rope_mscale_all_dim);
  }
  return yarn_mscale(scaling.rope_factor, 1.0);
}

double longrope_attention_factor(const RopeScaling& scaling, bool is_long, double max_positions, double original) {
  const double given = is_long ? scaling.rope_long_mscale : scaling.rope_short_mscale;
  if (given > 0.0) return given;
  if (scaling.rope_attention_factor > 0.0) return scaling.rope_attention_factor;
  const double factor = scaling.original_max_position_embeddings > 0 ? max_positions / original : scaling.rope_factor;
  return factor <= 1.0 ? 1.0 : std::sqrt(1.0 + std::log(factor) / std::log(original));
}

}  // namespace

Fields RopeScaling::fields() {
  constexpr double kLarge = 1e6;
  Fields fields("rope");
  fields
      .choice("rope_type", rope_type, {"default", "linear", "dynamic", "yarn", "longrope", "llama3"},
              "How RoPE is stretched beyond the length of the training")
      .real("rope_factor", rope_factor, 1e-3, kLarge, "By how much RoPE is stretched")
      .integer("original_max_position_embeddings", original_max_position_embeddings, 0, std::int64_t{1} << 40,
               "Length of the training before RoPE was stretched; 0: max_position_embeddings")
      .real("rope_attention_factor", rope_attention_factor, 0.0, kLarge,
            "Factor of RoPE's cosines and sines; 0: as rope_type says")
      .real("rope_beta_fast", rope_beta_fast, 1e-3, kLarge, "yarn: turns above which a pair keeps its frequency")
      .real("rope_beta_slow", rope_beta_slow, 1e-3, kLarge, "yarn: turns below which a pair is stretched in full")
      .real("rope_mscale", rope_mscale, 0.0, kLarge, "yarn: slope of the attention factor, above the line")
      .real("rope_mscale_all_dim", rope_mscale_all_dim, 0.0, kLarge, "yarn: the same, below the line")
      .flag("rope_truncate", rope_truncate, "yarn: the bounds are rounded to whole pairs")
      .real("rope_low_freq_factor", rope_low_freq_factor, 1e-6, kLarge, "llama3: turns below which a pair is stretched")
      .real("rope_high_freq_factor", rope_high_freq_factor, 1e-6, kLarge, "llama3: turns above which a pair is kept")
      .text("rope_short_factor", rope_short_factor, "longrope: divisors of the frequencies, comma-separated")
      .text("rope_long_factor", rope_long_factor, "longrope: those beyond the original length")
      .real("rope_short_mscale", rope_short_mscale, 0.0, kLarge, "longrope: attention factor; 0: as the paper says")
      .real("rope_long_mscale", rope_long_mscale, 0.0, kLarge, "longrope: the same beyond the original length");
  return fields;
}

void RopeScaling::validate(std::int64_t rotary_dim) const {
  if (rope_type == "longrope") {
    for (const auto& [name, text] :
         {std::pair{"rope_short_factor", &rope_short_factor}, std::pair{"rope_long_factor", &rope_long_factor}}) {
      const std::vector<double> factors = parse_reals(name, *text);
      if (static_cast<std::int64_t>(factors.size()) != rotary_dim / 2) {
        fail("rope.{}: {} divisors, expected one for each of the {} pairs that turn", name, factors.size(),
             rotary_dim / 2);
      }
      if (std::any_of(factors.begin(), factors.end(), [](double factor) { return !(factor > 0.0); })) {
        fail("rope.{}: a divisor in '{}' is not above 0", name, *text);
      }
    }
  }
  if (rope_type == "llama3" && !(rope_low_freq_factor < rope_high_freq_factor)) {
    fail("rope.rope_high_freq_factor: {} does not exceed rope_low_freq_factor={}", rope_high_freq_factor,
         rope_low_freq_factor);
  }
  if (rope_type == "dynamic" && rotary_dim <= 2) fail("rope.rope_type: 'dynamic' wants more than one pair that turns");
}

RopeFrequencies rope_frequencies(const RopeScaling& scaling, double theta, std::int64_t rotary_dim,
                                 std::int64_t max_positions, std::int64_t length) {
  const auto original = static_cast<double>(original_length(scaling, max_positions));
  const auto dim = static_cast<double>(rotary_dim);
  RopeFrequencies result{plain_frequencies(theta, rotary_dim), 1.0};
  if (scaling.rope_type == "linear") {
    for (double& frequency : result.inverse) frequency /= scaling.rope_factor;
  } else if (scaling.rope_type == "dynamic") {
    const double ratio = static_cast<double>(std::max(length, max_positions)) / static_cast<double>(max_positions);
    const double growth = scaling.rope_factor * ratio - (scaling.rope_factor - 1.0);
    result.inverse = plain_frequencies(theta * std::pow(growth, dim / (dim - 2.0)), rotary_dim);
  } else if (scaling.rope_type == "yarn") {
    apply_yarn(scaling, theta, dim, original, result.inverse);
    result.factor = yarn_attention_factor(scaling);
  } else if (scaling.rope_type == "llama3") {
    apply_llama3(scaling, original, result.inverse);
  } else if (scaling.rope_type == "longrope") {
    const bool is_long = static_cast<double>(length) > original;
    const std::vector<double> divisors = is_long ? parse_reals("rope_long_factor", scaling.rope_long_factor)
                                                 : parse_reals("rope_short_factor", scaling.rope_short_factor);
    WITAN_ASSERT(divisors.size() == result.inverse.size());
    for (std::size_t i = 0; i < divisors.size(); ++i) result.inverse[i] /= divisors[i];
    result.factor = longrope_attention_factor(scaling, is_long, static_cast<double>(max_positions), original);
  } else {
    WITAN_ASSERT(scaling.rope_type == "default");
  }
  return result;
}

double yarn_mscale(double factor, double m) { return factor <= 1.0 ? 1.0 : 0.1 * m * std::log(factor) + 1.0; }

}  // namespace witan
