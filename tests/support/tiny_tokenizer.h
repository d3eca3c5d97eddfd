// Tokenizers of a few tokens, from JSON written in the test.
#pragma once

#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "text/hugging_face_tokenizer.h"
#include "text/tokenizer_document.h"

namespace witan::test {

// A document whose model knows the given tokens by their order, whole words only. `parts` are further fields.
inline nlohmann::json word_document(const std::vector<std::string>& words,
                                    const nlohmann::json& parts = nlohmann::json::object()) {
  nlohmann::json vocabulary = {{"<unk>", 0}};
  for (const std::string& word : words) vocabulary[word] = vocabulary.size();
  nlohmann::json document = {{"model", {{"type", "WordLevel"}, {"unk_token", "<unk>"}, {"vocab", vocabulary}}}};
  document.update(parts);
  return document;
}

inline std::unique_ptr<HuggingFaceTokenizer> tokenizer_of(const nlohmann::json& json,
                                                          const SpecialTokenNames& names = {}) {
  const TokenizerDocument document(json.dump(), "tokenizer.json");
  return std::make_unique<HuggingFaceTokenizer>(document, names, KeptFiles());
}

}  // namespace witan::test
