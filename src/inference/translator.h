// What an encoder-decoder says of a source: read once, then token by token, by sampling or by beam search. One source
// at a time; not a server. Texts to ids and languages: source_text.h.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "inference/beam_search.h"
#include "inference/generator.h"
#include "inference/sampler.h"
#include "models/encoder_decoder.h"
#include "text/tokenizer.h"

namespace witan {

struct TranslationOptions {
  // Of the output, the language token and the end token counted: Hugging Face's max_new_tokens.
  std::int64_t max_tokens = 256;
  // What an output begins with after the decoder's start token, whatever the model would say: a target language.
  std::optional<std::int32_t> first_token;
  // How special tokens come out. Span filling says by them which blank is filled.
  SpecialTokens special = SpecialTokens::kSkip;
  BeamOptions beams;  // more than one: beam search, which draws nothing
};

class Translator {
 public:
  // References: both must outlive this. Throws Error when the tokenizer has more tokens than the model.
  Translator(const EncoderDecoder& model, const Tokenizer& tokenizer);

  // source [S]: the ids that the encoder reads, its special tokens among them. Each token of the output is a pass of
  // its own through the decoder, so capacity counts per token; beams do not compete for it. The callback gets the
  // tokens as they come, with beams all at the end. prompt_tokens of the result: S. Throws Error for an empty source,
  // ids outside the vocabulary, options out of bounds, beams with a temperature; Interrupted between passes.
  Generation translate(std::span<const std::int32_t> source, const SamplingOptions& sampling,
                       const TranslationOptions& options, const TokenCallback& callback = {}) const;

 private:
  struct Output;
  // The decoder has seen its start token and the first token -> logits of the next one [1, V].
  Tensor begin(const TranslationOptions& options, Translation& translation) const;
  Tensor next_logits(std::int32_t id, Translation& translation) const;
  void sample(const SamplingOptions& sampling, const TranslationOptions& options, Translation& translation,
              Output& output) const;
  void search(const SamplingOptions& sampling, const TranslationOptions& options, Translation translation,
              Output& output) const;
  bool ends_text(std::int32_t id) const;
  std::vector<std::int32_t> beginning(const TranslationOptions& options) const;

  const EncoderDecoder& model_;
  const Tokenizer& tokenizer_;
};

}  // namespace witan
