// What happens to text before it is cut into words: the "normalizer" of a tokenizer.json. Text in, text out; no record
// of where a character came from.
#pragma once

#include <memory>
#include <string>

namespace witan {

class JsonNode;

class Normalizer {
 public:
  Normalizer() = default;
  Normalizer(const Normalizer&) = delete;
  Normalizer& operator=(const Normalizer&) = delete;
  virtual ~Normalizer() = default;
  // `text` is valid UTF-8 and stays so.
  virtual void apply(std::string& text) const = 0;
};

// Every type of Hugging Face's tokenizers 0.23. Throws Error naming the place and the type for others.
std::unique_ptr<Normalizer> read_normalizer(const JsonNode& node);

}  // namespace witan
