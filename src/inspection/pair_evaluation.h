// The loss of an encoder-decoder on outputs that are given to it (teacher forcing), watched like evaluate() of
// decoders.
#pragma once

#include <cstdint>
#include <functional>
#include <span>

#include "inspection/text_pairs.h"
#include "training/evaluation.h"

namespace witan {

class EncoderDecoder;

// What each stack is watched by. Layers are those of the stack; the batch is one pair: the source, or the decoder's
// inputs.
struct PairObservers {
  WindowObserver encoder;
  WindowObserver decoder;
};

// One pass of each stack per pair. token_bytes: of bytes_per_token(). `on_part` is called with how many pairs are
// done, for every layer and part of the logits; it may throw to stop. Deterministic. Throws Error for sources and
// inputs outside the vocabulary; targets must have their bytes in token_bytes, and those no more entries than the
// vocabulary.
Evaluation evaluate_pairs(const EncoderDecoder& model, std::span<const TextPair> pairs,
                          std::span<const std::int32_t> token_bytes, std::int64_t num_domains,
                          const PairObservers& observers, const std::function<void(std::int64_t done)>& on_part = {});

}  // namespace witan
