// Tokens back to text: the "decoder" of a tokenizer.json. Works on a stream, so that text appears as it is generated;
// decoding a whole list is the same stream run to its end.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace witan {

class JsonNode;

// One link of a running chain. Tokens come whole; behind a link that fuses them all into one, parts of that one token
// come as they grow. Text handed on is always whole characters.
class DecodeStage {
 public:
  explicit DecodeStage(DecodeStage* next) : next_(next) {}
  DecodeStage(const DecodeStage&) = delete;
  DecodeStage& operator=(const DecodeStage&) = delete;
  virtual ~DecodeStage() = default;

  virtual void token(std::string_view text) = 0;
  // Of the one token that everything was fused into. Kept until the end unless a link can do better.
  virtual void part(std::string_view text) {
    grown_ += text;
    is_fused_ = true;
  }
  // No more tokens.
  void finish() {
    if (is_fused_) token(grown_);
    flush();
    if (next_ != nullptr) next_->finish();
  }

 protected:
  virtual void flush() {}  // what was held back
  DecodeStage& next() { return *next_; }

 private:
  DecodeStage* next_;
  std::string grown_;
  bool is_fused_ = false;
};

class DecoderStep {
 public:
  DecoderStep() = default;
  DecoderStep(const DecoderStep&) = delete;
  DecoderStep& operator=(const DecoderStep&) = delete;
  virtual ~DecoderStep() = default;
  virtual std::unique_ptr<DecodeStage> stage(DecodeStage& next) const = 0;
  // What the step makes of one token in the middle of a text, in bytes that may be part of a character.
  virtual std::string inside(std::string token) const = 0;
};

// A running chain and the text it made.
class DecoderChain {
 public:
  explicit DecoderChain(const std::vector<std::unique_ptr<DecoderStep>>& steps);
  void push(std::string_view token);
  void finish();
  // What was made since the last call.
  std::string take();

 private:
  class Sink;
  std::vector<std::unique_ptr<DecodeStage>> stages_;  // the last first: each hands on to the one before it
};

// Every type of Hugging Face's tokenizers 0.23; sequences are flattened. Throws Error naming the place and the type for
// others.
std::vector<std::unique_ptr<DecoderStep>> read_decoder(const JsonNode& node);
// Without a decoder tokens are joined by spaces.
std::vector<std::unique_ptr<DecoderStep>> joining_decoder();

}  // namespace witan
