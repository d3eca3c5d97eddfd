// Truncated sampling from a softmax.
#include "inference/sampler.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/error.h"

namespace witan {
namespace {

constexpr double kMaxTemperature = 100.0;
constexpr double kMaxPenalty = 100.0;
constexpr double kMinPenalty = 0.01;

void require(const char* name, double value, double minimum, double maximum) {
  if (!(value >= minimum && value <= maximum)) {
    fail("sampling.{}: {} is not between {} and {}", name, value, minimum, maximum);
  }
}

std::int32_t most_probable(std::span<const float> logits) {
  return static_cast<std::int32_t>(std::max_element(logits.begin(), logits.end()) - logits.begin());
}

}  // namespace

Fields SamplingOptions::fields() {
  constexpr auto kMaxInteger = std::numeric_limits<std::int64_t>::max();
  Fields fields("sampling");
  fields
      .real("temperature", temperature, 0.0, kMaxTemperature,
            "Logits are divided by it; 0 takes the most probable token")
      .integer("top_k", top_k, 0, kMaxInteger, "Only the k most probable tokens; 0: all")
      .real("top_p", top_p, 0.0, 1.0, "Only the smallest set of most probable tokens that holds this share")
      .real("min_p", min_p, 0.0, 1.0, "Only tokens with at least this share of the largest probability")
      .real("repetition_penalty", repetition_penalty, kMinPenalty, kMaxPenalty,
            "Above 1, tokens that stand in the text already become less probable")
      .integer("no_repeat_ngram_size", no_repeat_ngram_size, 0, kMaxInteger,
               "No run of so many tokens comes twice; 0: any may")
      .integer("seed", seed, 0, kMaxInteger, "Of the random choices");
  return fields;
}

void require_usable_logits(std::span<const float> logits) {
  float largest = -std::numeric_limits<float>::infinity();
  for (std::size_t id = 0; id < logits.size(); ++id) {
    if (std::isnan(logits[id]) || logits[id] == std::numeric_limits<float>::infinity()) {
      fail("sampling: the logit of token {} is {}; the model's weights are damaged or diverged", id, logits[id]);
    }
    largest = std::max(largest, logits[id]);
  }
  if (!std::isfinite(largest)) fail("sampling: no token of {} has a finite logit", logits.size());
}

namespace {

void forbid(std::span<float> logits, std::int32_t id) {
  const auto at = static_cast<std::size_t>(id);
  if (id >= 0 && at < logits.size()) logits[at] = -std::numeric_limits<float>::infinity();
}

void penalize_repetition(std::span<float> logits, std::span<const std::int32_t> history, double penalty) {
  if (penalty == 1.0) return;
  std::vector<std::int32_t> seen(history.begin(), history.end());
  std::sort(seen.begin(), seen.end());
  seen.erase(std::unique(seen.begin(), seen.end()), seen.end());
  const auto factor = static_cast<float>(penalty);
  for (const std::int32_t id : seen) {
    if (static_cast<std::size_t>(id) >= logits.size()) continue;  // of a model with more tokens than its tokenizer
    float& logit = logits[static_cast<std::size_t>(id)];
    logit = logit > 0.0F ? logit / factor : logit * factor;
  }
}

// The last size - 1 tokens of `history` and the next one may not be a run that stands there already.
void forbid_repeated_runs(std::span<float> logits, std::span<const std::int32_t> history, std::int64_t size) {
  if (size == 0 || static_cast<std::uint64_t>(size) > history.size()) return;
  const auto before = static_cast<std::size_t>(size - 1);
  const std::span<const std::int32_t> last = history.last(before);
  for (std::size_t i = 0; i + before < history.size(); ++i) {
    if (std::ranges::equal(history.subspan(i, before), last)) forbid(logits, history[i + before]);
  }
}

}  // namespace

void restrain(std::span<float> logits, std::span<const std::int32_t> history, const SamplingOptions& options,
              bool begins) {
  penalize_repetition(logits, history, options.repetition_penalty);
  forbid_repeated_runs(logits, history, options.no_repeat_ngram_size);
  for (const std::int32_t id : options.suppress_tokens) forbid(logits, id);
  if (begins) {
    for (const std::int32_t id : options.begin_suppress_tokens) forbid(logits, id);
  }
  if (std::ranges::any_of(logits, [](float logit) { return std::isfinite(logit); })) return;
  fail("sampling: suppressed tokens and no_repeat_ngram_size={} forbid every token", options.no_repeat_ngram_size);
}

Sampler::Sampler(const SamplingOptions& options)
    : options_(options), random_(static_cast<std::uint64_t>(options.seed)) {
  require("temperature", options.temperature, 0.0, kMaxTemperature);
  require("top_k", static_cast<double>(options.top_k), 0.0, std::numeric_limits<double>::max());
  require("top_p", options.top_p, 0.0, 1.0);
  require("min_p", options.min_p, 0.0, 1.0);
  require("repetition_penalty", options.repetition_penalty, kMinPenalty, kMaxPenalty);
  require("no_repeat_ngram_size", static_cast<double>(options.no_repeat_ngram_size), 0.0,
          std::numeric_limits<double>::max());
}

std::int32_t Sampler::sample(std::span<const float> logits, std::span<const std::int32_t> history) {
  require_usable_logits(logits);
  logits_.assign(logits.begin(), logits.end());
  restrain(logits_, history, options_, begins_);
  begins_ = false;
  if (options_.temperature == 0.0) return most_probable(logits_);
  const float largest = *std::max_element(logits_.begin(), logits_.end());
  const float inverse = static_cast<float>(1.0 / options_.temperature);
  if (!std::isfinite(inverse)) return most_probable(logits_);
  candidates_.resize(logits_.size());
  for (std::size_t id = 0; id < logits_.size(); ++id) {
    candidates_[id] = {std::exp((logits_[id] - largest) * inverse), static_cast<std::int32_t>(id)};
  }
  keep_top_k();
  keep_top_p();
  const auto least = static_cast<float>(options_.min_p);  // the largest weight is exp(0) = 1
  std::erase_if(candidates_, [least](const Candidate& candidate) { return candidate.weight < least; });
  return draw();
}

void Sampler::keep_top_k() {
  const auto k = static_cast<std::uint64_t>(options_.top_k);
  if (k == 0 || k >= candidates_.size()) return;
  const auto likelier = [](const Candidate& a, const Candidate& b) {
    return a.weight != b.weight ? a.weight > b.weight : a.id < b.id;
  };
  const auto end = candidates_.begin() + static_cast<std::ptrdiff_t>(k);
  std::nth_element(candidates_.begin(), end, candidates_.end(), likelier);
  candidates_.erase(end, candidates_.end());
  std::sort(candidates_.begin(), candidates_.end(), likelier);  // nth_element's order is not specified
}

void Sampler::keep_top_p() {
  if (options_.top_p >= 1.0) return;
  double total = 0.0;
  for (const Candidate& candidate : candidates_) total += static_cast<double>(candidate.weight);
  // A heap, since the set is usually small: building it is linear, and only what is kept is sorted.
  const auto less_likely = [](const Candidate& a, const Candidate& b) {
    return a.weight != b.weight ? a.weight < b.weight : a.id > b.id;
  };
  std::make_heap(candidates_.begin(), candidates_.end(), less_likely);
  std::size_t kept = 0;
  double mass = 0.0;
  while (kept < candidates_.size()) {
    const auto end = candidates_.end() - static_cast<std::ptrdiff_t>(kept);
    std::pop_heap(candidates_.begin(), end, less_likely);  // the likeliest of the rest moves to end - 1
    ++kept;
    mass += static_cast<double>((end - 1)->weight);
    if (mass >= options_.top_p * total) break;
  }
  candidates_.erase(candidates_.begin(), candidates_.end() - static_cast<std::ptrdiff_t>(kept));
}

std::int32_t Sampler::draw() {
  double total = 0.0;
  for (const Candidate& candidate : candidates_) total += static_cast<double>(candidate.weight);
  double rest = random_.uniform_open() * total;
  for (const Candidate& candidate : candidates_) {
    rest -= static_cast<double>(candidate.weight);
    if (rest < 0.0) return candidate.id;
  }
  // Rounding left something over: the last one that can be drawn at all.
  const auto possible = [](const Candidate& candidate) { return candidate.weight > 0.0F; };
  return std::find_if(candidates_.rbegin(), candidates_.rend(), possible)->id;
}

}  // namespace witan
