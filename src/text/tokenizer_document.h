// A tokenizer.json as read: the large lists (vocabulary, merges) in flat memory, the rest as JSON. What the parts mean
// is for others.
#pragma once

#include <cstdint>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "text/vocabulary.h"

namespace witan {

struct TokenizerDocument {
  struct Text {
    std::size_t begin = 0;
    std::size_t length = 0;
  };
  struct Merge {
    Text left;
    Text right;
  };

  // `json`: the text of the file, `file` its name for messages. Throws Error: no JSON (with the byte), a key twice, a
  // model without a vocabulary, ids that are negative or far beyond the number of tokens, merges of another form.
  TokenizerDocument(std::string_view json, const std::string& file);
  ~TokenizerDocument();

  std::string_view text(const Text& where) const { return std::string_view(bytes).substr(where.begin, where.length); }

  std::string file;
  std::unique_ptr<nlohmann::json> parts;  // all but model.vocab and model.merges
  Vocabulary vocabulary;
  std::vector<double> scores;  // of the ids in order, where the vocabulary is a list of pairs
  bool has_vocabulary = false;
  bool has_merges = false;
  std::vector<Merge> merges;  // in order
  std::string bytes;          // of all tokens of the vocabulary and the merges, which point into it
};

}  // namespace witan
