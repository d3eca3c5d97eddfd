// An encoder-decoder with mixtures of experts: the source is read as a whole, the output is made token by token. One
// graph for every architecture of encoder-decoders, whose options are in encoder_decoder_config.h. Inference only: such
// a model is loaded (encoder_decoder_folder.h), never trained.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "layers/kv_cache.h"
#include "models/encoder_decoder_block.h"

namespace witan {

// One output in the making: what the decoder remembers of its source, and of what it has seen so far.
struct Translation {
  std::vector<SourceMemory> source;  // per layer of the decoder
  KvCache cache;
};

class EncoderDecoder {
 public:
  // Reads its weights. Throws Error when the config does not validate, and for tensors that are missing or misshapen.
  EncoderDecoder(const EncoderDecoderConfig& config, const EncoderDecoderNames& names, NamedTensors& tensors);
  EncoderDecoder(const EncoderDecoder&) = delete;
  EncoderDecoder& operator=(const EncoderDecoder&) = delete;
  ~EncoderDecoder();

  // ids [S] of one sequence, S >= 1 -> [S, D], after the final norm. Throws Error for ids outside the vocabulary.
  Tensor encode(std::span<const std::int32_t> ids, const EncoderDecoderObserver& observer = {}) const;
  // encoded [S, D] -> an output without tokens.
  Translation start(const Tensor& encoded) const;
  // ids [T], T >= 1, continue the translation -> [T, D], after the final norm. An expert's capacity counts per call:
  // the same ids in one call or in several need not give the same rows. Throws Error for ids outside the vocabulary.
  Tensor decode(std::span<const std::int32_t> ids, Translation& translation,
                const EncoderDecoderObserver& observer = {}) const;
  // What decode() gives [T, D] -> logits of the next tokens [T, V].
  Tensor logits(const Tensor& decoded) const;

  const EncoderDecoderConfig& config() const { return config_; }
  // The layers with a mixture, those of the encoder first.
  struct Mixture {
    bool encoder;
    std::int64_t layer;
    const EncoderDecoderBlock& block;
  };
  std::vector<Mixture> mixtures() const;

 private:
  struct Stack {
    std::vector<std::unique_ptr<EncoderDecoderBlock>> layers;
    std::unique_ptr<Norm> final_norm;
    Tensor relative_bias;  // [buckets, heads]; undefined without relative positions
  };
  Stack read_stack(EncoderDecoderBlock::Side side, const EncoderDecoderNames& names, NamedTensors& tensors) const;
  Tensor embed(std::span<const std::int32_t> ids, std::int64_t past) const;
  // What the scores of `queries` rows after `past` others get for their relative positions; undefined without them.
  Tensor bias(const Stack& stack, bool bidirectional, std::int64_t past, std::int64_t queries) const;

  EncoderDecoderConfig config_;
  Tensor embedding_;
  Tensor head_;  // the embedding when tied
  Stack encoder_;
  Stack decoder_;
};

}  // namespace witan
