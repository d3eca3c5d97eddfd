// How normalised text is cut into the words that a model sees one by one: the "pre_tokenizer" of a tokenizer.json.
// Words flow through a chain of splitters, each of which hands on what it cuts: no list of all words is ever held.
#pragma once

#include <memory>
#include <string_view>
#include <vector>

namespace witan {

class JsonNode;

struct Piece {
  std::string_view text;     // valid UTF-8, not empty; lives for the call
  bool begins_text = false;  // it starts where the whole text starts
};

class PieceSink {
 public:
  PieceSink() = default;
  PieceSink(const PieceSink&) = delete;
  PieceSink& operator=(const PieceSink&) = delete;
  virtual ~PieceSink() = default;
  virtual void take(const Piece& piece) = 0;
};

class PreTokenizer {
 public:
  PreTokenizer() = default;
  PreTokenizer(const PreTokenizer&) = delete;
  PreTokenizer& operator=(const PreTokenizer&) = delete;
  virtual ~PreTokenizer() = default;
  // A link of the chain: cuts what it takes and hands it to `next`. Has buffers of its own: one per thread. The
  // pre-tokenizer and `next` outlive it.
  virtual std::unique_ptr<PieceSink> splitter(PieceSink& next) const = 0;
};

// The steps in order; sequences are flattened.
struct PreTokenizers {
  std::vector<std::unique_ptr<PreTokenizer>> steps;
  // The last step writes bytes as the characters of byte-level BPE. It does not happen in `steps`: the model does it,
  // or byte_characters_step() below.
  bool ends_in_byte_characters = false;
};

// Every type of Hugging Face's tokenizers 0.23 except UnicodeScripts. Throws Error naming the place and the type for
// others.
PreTokenizers read_pre_tokenizer(const JsonNode& node);

// The step that ends_in_byte_characters leaves out.
std::unique_ptr<PreTokenizer> byte_characters_step();

}  // namespace witan
