// Text from a prompt, token by token. One sequence; not a server.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "dispatch/row_experts.h"
#include "inference/sampler.h"
#include "layers/kv_cache.h"
#include "models/decoder.h"
#include "text/tokenizer.h"

namespace witan {

struct GenerationOptions {
  std::int64_t max_tokens = 256;
  std::int64_t max_length = 0;  // of prompt and output together, instead of max_tokens; 0: that counts
  // The output ends with the token that completes one of these, be its beginning in the prompt; special tokens count
  // by their names.
  std::vector<std::string> stop_strings;
  // Whether the special tokens that begin a text are added to the prompt, and the output is read as its continuation; a
  // rendered chat template names them itself, and is answered by a text of its own.
  bool add_special_tokens = true;
  std::int64_t prefill_chunk = 256;  // prompt tokens per forward pass: bounds the memory, changes no result
  // A mixture layer whose experts are reported with each token; empty: none. Costs one more pass for the last token.
  std::optional<std::int64_t> observed_layer;
};

struct GeneratedToken {
  std::int32_t id = 0;
  std::string text;    // what became complete with this token; empty within a character of several tokens
  RowExperts experts;  // that served this token in the observed layer
};

enum class StopReason { kMaxTokens, kEndOfText, kStopString, kContextFull, kCallback };

struct Generation {
  std::vector<std::int32_t> ids;  // without the prompt and the end token
  std::string text;
  std::string tail;  // the end of `text` that no token completed: a character cut off by the last one, as U+FFFD
  StopReason stop = StopReason::kMaxTokens;
  std::int64_t prompt_tokens = 0;
  double prefill_seconds = 0.0;
  double decode_seconds = 0.0;
};

// Called with each token as soon as it is known; false stops.
using TokenCallback = std::function<bool(const GeneratedToken&)>;

// How many tokens may follow a prompt of so many. Throws Error when max_length leaves none.
std::int64_t most_tokens(const GenerationOptions& options, std::int64_t prompt_tokens);

// Throws Error for a prompt without tokens, and for one that leaves no room in a context of this length.
void require_prompt(std::int64_t tokens, std::int64_t max_positions);

class Generator {
 public:
  // References: both must outlive this. Throws Error when the tokenizer has more tokens than the model.
  Generator(Decoder& model, const Tokenizer& tokenizer);

  // Continues the prompt, after the special tokens that begin a text (if the tokenizer has any). Routing is that of
  // evaluation. Throws Error for an empty prompt without a start token, a prompt that fills the context, a layer
  // without a mixture, options out of bounds, a prompt of max_length tokens and more; Interrupted between the chunks of
  // a long prompt.
  Generation generate(std::string_view prompt, const SamplingOptions& sampling, const GenerationOptions& options,
                      const TokenCallback& callback = {});

 private:
  std::vector<std::int32_t> encode(std::string_view prompt, bool add_special_tokens) const;
  // The tokenizer's end token, or one of those that the model names.
  bool ends_text(std::int32_t id) const;
  // Feeds ids in chunks; the hidden row [1, D] of the last one.
  Tensor feed(std::span<const std::int32_t> ids, std::int64_t chunk, KvCache& cache, const RoutingObserver& observer);

  Decoder& model_;
  const Tokenizer& tokenizer_;
};

}  // namespace witan
