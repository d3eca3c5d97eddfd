// What an encoder-decoder is shown: pairs of a source and an output, as ids. From one text, each stretch of which is
// its own output, or from two texts line by line. Runs nothing.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "inference/source_text.h"
#include "training/dataset.h"

namespace witan {

// Where nobody asks what follows.
inline constexpr std::int32_t kNoTarget = -1;

struct TextPair {
  std::vector<std::int32_t> source;   // [S], what the encoder reads, its special tokens among them
  std::vector<std::int32_t> inputs;   // [T], what the decoder is given: start token, language, the output
  std::vector<std::int32_t> targets;  // [T], what follows each input in the output; its end token last
  std::uint16_t domain = 0;
};

struct PairedText {
  std::vector<std::string> domains;
  std::vector<TextPair> pairs;
  std::string reading;  // who is shown what, in words
};

// A source and its output, as text.
struct PairedLine {
  std::string_view source;
  std::string_view output;
  std::uint16_t domain = 0;
};

struct PairOptions {
  std::string source_language = {};  // empty for models that name none
  std::string target_language = {};
  std::int64_t sequence_length = 256;  // about so many tokens are a stretch of a text
  std::int64_t tokens = 16384;         // about so many of the sources are read, spread evenly
};

// Of tokens about, since text is cut and chosen before it is encoded: by what a few pieces of it take.
class PairMaker {
 public:
  // `tokenizer` and `source` must outlive this. Throws Error for languages that the model does not have, and for a
  // start or an end of outputs that the tokenizer does not have.
  PairMaker(const EncoderDecoderConfig& config, const Tokenizer& tokenizer, const SourceText& source,
            PairOptions options);
  // Stretches of the documents, cut behind white space where there is any. Throws Error without a word.
  std::vector<TextPair> of_documents(std::span<const Document> documents) const;
  // Pairs of which one side is blank are left out. Throws Error when none is left.
  std::vector<TextPair> of_lines(std::span<const PairedLine> lines) const;

 private:
  TextPair pair(const PairedLine& line) const;

  const Tokenizer& tokenizer_;
  const SourceText& source_;
  PairOptions options_;
  std::int32_t end_token_;             // -1: none
  std::vector<std::int32_t> opening_;  // of every output
};

}  // namespace witan
