// Greedy, sampled and beamed outputs of an encoder-decoder.
#include "inference/translator.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <memory>
#include <utility>

#include "base/error.h"
#include "base/interrupt.h"

namespace witan {
namespace {

using TranslatorClock = std::chrono::steady_clock;

double seconds_from(TranslatorClock::time_point start) {
  return std::chrono::duration<double>(TranslatorClock::now() - start).count();
}

void check_translation(const SamplingOptions& sampling, const TranslationOptions& options) {
  const std::int64_t least = options.first_token ? 1 : 0;
  if (options.max_tokens < least) {
    fail("translate: max_tokens={}, expected at least {}{}", options.max_tokens, least,
         options.first_token ? ", since the language is a token of the output" : "");
  }
  if (options.beams.beams < 1) fail("translate: beams={} is below 1", options.beams.beams);
  if (options.beams.beams > 1 && sampling.temperature > 0.0) {
    fail("translate: beams={} with temperature={}: beam search draws nothing, expected a temperature of 0",
         options.beams.beams, sampling.temperature);
  }
}

void to_log_probabilities(std::span<float> logits) {
  const float largest = *std::max_element(logits.begin(), logits.end());
  double sum = 0.0;
  for (const float logit : logits) sum += std::exp(static_cast<double>(logit - largest));
  const auto normalizer = static_cast<float>(static_cast<double>(largest) + std::log(sum));
  for (float& logit : logits) logit -= normalizer;
}

// A beam and what the decoder remembers of it. The memory of the source is shared by all.
Translation forked(const Translation& translation) { return {translation.source, translation.cache.clone()}; }

// Every beam's memory from that of the one it continues, which the last of its heirs takes over.
std::vector<Translation> inherited(const std::vector<BeamSearch::Beam>& beams, std::vector<Translation> parents) {
  std::vector<std::size_t> heirs(parents.size(), 0);
  for (const BeamSearch::Beam& beam : beams) ++heirs[beam.parent];
  std::vector<Translation> memories;
  for (const BeamSearch::Beam& beam : beams) {
    Translation& parent = parents[beam.parent];
    memories.push_back(--heirs[beam.parent] == 0 ? std::move(parent) : forked(parent));
  }
  return memories;
}

}  // namespace

// The result in the making: tokens to text, and on to the callback.
struct Translator::Output {
  Generation result;
  std::unique_ptr<TextStream> stream;
  const TokenCallback& callback;

  // False when the callback wants no more.
  bool push(std::int32_t id) {
    result.ids.push_back(id);
    const GeneratedToken token{id, stream->push(id), {}};
    result.text += token.text;
    if (!callback || callback(token)) return true;
    result.stop = StopReason::kCallback;
    return false;
  }
};

Translator::Translator(const EncoderDecoder& model, const Tokenizer& tokenizer) : model_(model), tokenizer_(tokenizer) {
  if (tokenizer.vocab_size() > model.config().vocab_size) {
    fail("translate: the tokenizer has {} tokens, the model {}; they do not belong together", tokenizer.vocab_size(),
         model.config().vocab_size);
  }
}

Generation Translator::translate(std::span<const std::int32_t> source, const SamplingOptions& sampling,
                                 const TranslationOptions& options, const TokenCallback& callback) const {
  check_translation(sampling, options);
  if (source.empty()) fail("translate: the source is empty");
  Output output{{}, tokenizer_.stream(options.special), callback};
  output.result.prompt_tokens = static_cast<std::int64_t>(source.size());
  const TranslatorClock::time_point start = TranslatorClock::now();
  Translation translation = model_.start(model_.encode(source));
  output.result.prefill_seconds = seconds_from(start);

  const TranslatorClock::time_point decode_start = TranslatorClock::now();
  if (options.beams.beams > 1) {
    search(sampling, options, std::move(translation), output);
  } else {
    sample(sampling, options, translation, output);
  }
  output.result.decode_seconds = seconds_from(decode_start);
  output.result.tail = output.stream->finish();
  output.result.text += output.result.tail;
  return std::move(output.result);
}

Tensor Translator::begin(const TranslationOptions& options, Translation& translation) const {
  const std::vector<std::int32_t> ids = beginning(options);
  for (std::size_t i = 0; i + 1 < ids.size(); ++i) model_.decode({&ids[i], 1}, translation);
  return next_logits(ids.back(), translation);
}

std::vector<std::int32_t> Translator::beginning(const TranslationOptions& options) const {
  std::vector<std::int32_t> ids = {static_cast<std::int32_t>(model_.config().decoder_start_token_id)};
  if (options.first_token) ids.push_back(*options.first_token);
  return ids;
}

Tensor Translator::next_logits(std::int32_t id, Translation& translation) const {
  throw_if_interrupted();
  return model_.logits(model_.decode({&id, 1}, translation));
}

void Translator::sample(const SamplingOptions& sampling, const TranslationOptions& options, Translation& translation,
                        Output& output) const {
  Sampler sampler(sampling);
  std::vector<std::int32_t> history = beginning(options);
  // The tokenizer may know fewer tokens than the model's padded vocabulary: only those can be said.
  const auto known = static_cast<std::size_t>(tokenizer_.vocab_size());
  const std::int64_t steps = options.max_tokens - (options.first_token ? 1 : 0);
  if (steps == 0) return;
  Tensor logits = begin(options, translation);
  for (std::int64_t step = 1;; ++step) {
    const std::int32_t id = sampler.sample(logits.values().first(known), history);
    if (ends_text(id)) {
      output.result.stop = StopReason::kEndOfText;
      return;
    }
    history.push_back(id);
    if (!output.push(id) || step == steps) return;
    logits = next_logits(id, translation);
  }
}

void Translator::search(const SamplingOptions& sampling, const TranslationOptions& options, Translation translation,
                        Output& output) const {
  const std::vector<std::int32_t> start = beginning(options);
  const std::int64_t given = options.first_token ? 1 : 0;
  if (options.max_tokens == given) return;
  const Sampler valid(sampling);  // refuses options out of bounds
  BeamSearch beams(
      options.beams, [this](std::int32_t id) { return ends_text(id); }, options.max_tokens - given, given);
  const std::int64_t known = tokenizer_.vocab_size();
  std::vector<Translation> memories;
  memories.push_back(std::move(translation));
  while (!beams.done()) {
    const std::vector<BeamSearch::Beam>& live = beams.live();
    PooledVector<float> rows;
    rows.reserve(live.size() * static_cast<std::size_t>(known));
    for (std::size_t i = 0; i < live.size(); ++i) {
      const bool first = live[i].ids.empty();
      const Tensor logits = first ? begin(options, memories[i]) : next_logits(live[i].ids.back(), memories[i]);
      const std::span<float> row = logits.values().first(static_cast<std::size_t>(known));
      require_usable_logits(row);
      to_log_probabilities(row);
      std::vector<std::int32_t> history = start;
      history.insert(history.end(), live[i].ids.begin(), live[i].ids.end());
      restrain(row, history, sampling, first);
      rows.insert(rows.end(), row.begin(), row.end());
    }
    beams.advance({rows.data(), static_cast<std::int64_t>(live.size()), known});
    memories = inherited(beams.live(), std::move(memories));
  }
  const BeamSearch::Beam best = beams.best();
  if (best.ended) output.result.stop = StopReason::kEndOfText;
  for (const std::int32_t id : best.ids) {
    if (!output.push(id)) return;
  }
}

bool Translator::ends_text(std::int32_t id) const {
  const std::vector<std::int64_t>& ends = model_.config().eos_token_ids;
  return id == tokenizer_.eos_id() || std::ranges::find(ends, id) != ends.end();
}

}  // namespace witan
