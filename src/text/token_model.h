// What turns one word into tokens: the "model" of a tokenizer.json.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "text/bpe_merger.h"
#include "text/vocabulary.h"
#include "text/word_cache.h"

namespace witan {

class TokenModel {
 public:
  // What encoding writes to; one per thread.
  struct Scratch {
    WordCache cache;
    BpeMerger::Scratch merger;
    std::vector<double> scores;
    std::vector<std::int32_t> choices;
    std::vector<std::size_t> begins;
    std::string text;
  };

  TokenModel() = default;
  TokenModel(const TokenModel&) = delete;
  TokenModel& operator=(const TokenModel&) = delete;
  virtual ~TokenModel() = default;

  // Tokens as the file writes them.
  virtual const Vocabulary& vocabulary() const = 0;
  // Appends the ids of a word, which is not empty. Throws Error when the model has no token for a character and none
  // for the unknown.
  virtual void encode(std::string_view word, Scratch& scratch, std::vector<std::int32_t>& out) const = 0;
};

struct TokenizerDocument;

// Byte-pair encoding. `words_are_bytes`: words come as raw bytes, which the vocabulary writes as byte-level characters;
// can_take_bytes() says whether the model of a document can. Throws Error naming the file for what is missing, for a
// merge without its tokens, and for dropout, which would make encoding random.
std::unique_ptr<TokenModel> make_bpe_model(const TokenizerDocument& document, bool words_are_bytes);
bool can_take_bytes(const TokenizerDocument& document);
// The most likely split (Kudo 2018), by dynamic programming over bytes, in double as Hugging Face has it.
std::unique_ptr<TokenModel> make_unigram_model(const TokenizerDocument& document);
// Longest match first (Wu et al. 2016), and whole words.
std::unique_ptr<TokenModel> make_word_piece_model(const TokenizerDocument& document);
std::unique_ptr<TokenModel> make_word_level_model(const TokenizerDocument& document);

}  // namespace witan
