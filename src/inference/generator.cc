// Prefill in chunks, then one token per pass.
#include "inference/generator.h"

#include <fmt/core.h>

#include <algorithm>
#include <chrono>

#include "base/error.h"
#include "base/interrupt.h"

namespace witan {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

void check(const GenerationOptions& options, const DecoderConfig& config) {
  if (options.max_tokens < 0) fail("generate: max_tokens={} is negative", options.max_tokens);
  if (options.max_length < 0) fail("generate: max_length={} is negative", options.max_length);
  if (std::ranges::find(options.stop_strings, "") != options.stop_strings.end()) {
    fail("generate: a stop string is empty");
  }
  if (options.prefill_chunk < 1) fail("generate: prefill_chunk={} is below 1", options.prefill_chunk);
  if (!options.observed_layer) return;
  std::string with_mixture;
  for (std::int64_t layer = 0; layer < config.num_hidden_layers; ++layer) {
    if (!config.is_moe_layer(layer)) continue;
    if (layer == *options.observed_layer) return;
    with_mixture += fmt::format("{}{}", with_mixture.empty() ? "" : ", ", layer);
  }
  fail("generate: layer {} has no mixture of experts (layers that have: {})", *options.observed_layer,
       with_mixture.empty() ? "none" : with_mixture);
}

// The text of tokens that stand behind others: decoders that treat the beginning of a text in a way of their own (a
// space that is stripped there) treat it so only where it is.
class ContinuedText {
 public:
  ContinuedText(const Tokenizer& tokenizer, std::span<const std::int32_t> before, SpecialTokens special)
      : stream_(tokenizer.stream(special)) {
    const std::unique_ptr<TextStream> whole = tokenizer.stream(special);
    std::string text;
    std::size_t told = 0;
    for (const std::int32_t id : before) {
      told += stream_->push(id).size();
      text += whole->push(id);
    }
    text += whole->finish();
    held_ = text.substr(std::min(told, text.size()));
  }

  std::string push(std::int32_t id) { return without_held(stream_->push(id)); }
  std::string finish() { return without_held(stream_->finish()); }

 private:
  // What the stream had kept back belongs to the tokens before.
  std::string without_held(std::string text) {
    const std::size_t both = std::min(held_.size(), text.size());
    if (text.compare(0, both, held_, 0, both) != 0) {
      held_.clear();
    } else {
      text.erase(0, both);
      held_.erase(0, both);
    }
    return text;
  }

  std::unique_ptr<TextStream> stream_;
  std::string held_;
};

// Looks for texts that end within the last token.
class StopStrings {
 public:
  StopStrings(const std::vector<std::string>& texts, std::string_view prompt, std::span<const std::int32_t> prompt_ids,
              const Tokenizer& tokenizer)
      : texts_(texts),
        said_(prompt),
        text_(tokenizer, texts.empty() ? std::span<const std::int32_t>() : prompt_ids, SpecialTokens::kKeep) {}

  bool completed_by(std::int32_t id) {
    if (texts_.empty()) return false;
    const std::size_t before = said_.size();
    said_ += text_.push(id);
    return std::ranges::any_of(texts_, [&](const std::string& text) {
      const std::size_t first = before < text.size() ? 0 : before - text.size() + 1;
      return said_.find(text, first) != std::string::npos;
    });
  }

 private:
  const std::vector<std::string>& texts_;
  std::string said_;
  ContinuedText text_;
};

}  // namespace

Generator::Generator(Decoder& model, const Tokenizer& tokenizer) : model_(model), tokenizer_(tokenizer) {
  if (tokenizer.vocab_size() > model.config().vocab_size) {
    fail("generate: the tokenizer has {} tokens, the model {}; they do not belong together", tokenizer.vocab_size(),
         model.config().vocab_size);
  }
}

std::int64_t most_tokens(const GenerationOptions& options, std::int64_t prompt_tokens) {
  if (options.max_length == 0) return options.max_tokens;
  if (prompt_tokens < options.max_length) return options.max_length - prompt_tokens;
  fail(
      "generate: the prompt has {} tokens, and max_length={} of generation_config.json leaves no room for more; "
      "give --max-tokens",
      prompt_tokens, options.max_length);
}

void require_prompt(std::int64_t tokens, std::int64_t max_positions) {
  if (tokens == 0) fail("generate: the prompt is empty, and there is no start token");
  if (tokens >= max_positions) {
    fail("generate: the prompt has {} tokens and leaves no room in the model's context of {}", tokens, max_positions);
  }
}

Generation Generator::generate(std::string_view prompt, const SamplingOptions& sampling,
                               const GenerationOptions& options, const TokenCallback& callback) {
  check(options, model_.config());
  Sampler sampler(sampling);
  std::vector<std::int32_t> history = encode(prompt, options.add_special_tokens);
  KvCache cache = model_.make_cache();
  require_prompt(static_cast<std::int64_t>(history.size()), cache.max_positions());
  const std::int64_t most = most_tokens(options, static_cast<std::int64_t>(history.size()));
  cache.expect(static_cast<std::int64_t>(history.size()));
  Generation result;
  result.prompt_tokens = static_cast<std::int64_t>(history.size());

  RowExperts experts;
  RoutingObserver observer;
  if (options.observed_layer) {
    observer = [&experts, wanted = *options.observed_layer](std::int64_t layer, const Routing& routing,
                                                            const Tensor& /*rows*/) {
      // Soft routing serves mixtures of rows: nobody served this one alone.
      if (layer == wanted && !routing.expert_rows.defined()) experts = experts_by_row(*routing.assignment).back();
    };
  }
  const Clock::time_point start = Clock::now();
  Tensor hidden = feed(history, options.prefill_chunk, cache, {});
  result.prefill_seconds = seconds_since(start);

  // The answer to a rendered template is a text of its own.
  const std::span<const std::int32_t> continued =
      options.add_special_tokens ? history : std::span<const std::int32_t>();
  ContinuedText output(tokenizer_, continued, SpecialTokens::kSkip);
  StopStrings stops(options.stop_strings, prompt, history, tokenizer_);
  const Clock::time_point decode_start = Clock::now();
  const auto produced = [&result] { return static_cast<std::int64_t>(result.ids.size()); };
  while (produced() < most) {
    // The tokenizer may know fewer tokens than the model's padded vocabulary: only those can be said.
    const Tensor logits = model_.logits(hidden);
    const auto known = static_cast<std::size_t>(tokenizer_.vocab_size());
    const std::int32_t id = sampler.sample(logits.values().first(known), history);
    if (ends_text(id)) {
      result.stop = StopReason::kEndOfText;
      break;
    }
    history.push_back(id);
    result.ids.push_back(id);
    GeneratedToken token{id, output.push(id), {}};
    result.text += token.text;
    const bool room = cache.length() < cache.max_positions();
    const bool stopped = stops.completed_by(id);
    const bool last = stopped || !room || produced() == most;
    // Experts are known once the token went through the model; without them nobody has to wait for that.
    if (options.observed_layer && room) {
      hidden = feed({&id, 1}, 1, cache, observer);
      token.experts = experts;
    }
    if (callback && !callback(token)) {
      result.stop = StopReason::kCallback;
      break;
    }
    if (last) {
      if (stopped) {
        result.stop = StopReason::kStopString;
      } else if (!room) {
        result.stop = StopReason::kContextFull;
      }
      break;
    }
    if (!options.observed_layer) hidden = feed({&id, 1}, 1, cache, {});
  }
  result.decode_seconds = seconds_since(decode_start);
  result.tail = output.finish();
  result.text += result.tail;
  return result;
}

bool Generator::ends_text(std::int32_t id) const {
  const std::vector<std::int64_t>& ends = model_.config().eos_token_ids;
  return id == tokenizer_.eos_id() || std::ranges::find(ends, id) != ends.end();
}

std::vector<std::int32_t> Generator::encode(std::string_view prompt, bool add_special_tokens) const {
  return add_special_tokens ? tokenizer_.encode_with_special(prompt) : tokenizer_.encode(prompt);
}

Tensor Generator::feed(std::span<const std::int32_t> ids, std::int64_t chunk, KvCache& cache,
                       const RoutingObserver& observer) {
  Tensor hidden;
  for (std::size_t done = 0; done < ids.size(); done += static_cast<std::size_t>(chunk)) {
    if (done > 0) throw_if_interrupted();
    const auto piece = ids.subspan(done, std::min(ids.size() - done, static_cast<std::size_t>(chunk)));
    Tape off;
    hidden = model_.forward(off, piece, 1, static_cast<std::int64_t>(piece.size()), {}, &cache, {observer}).hidden;
  }
  return Tensor::from({1, hidden.cols()}, hidden.values().last(static_cast<std::size_t>(hidden.cols())));
}

}  // namespace witan
