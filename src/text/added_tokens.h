// The "added_tokens" of a tokenizer.json: tokens that are found in the text before the model sees it, special ones
// among them.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "text/byte_trie.h"

namespace witan {

class JsonNode;
class Normalizer;
class Vocabulary;

struct AddedToken {
  std::string text;
  std::string decoded_text;  // what decoding begins with: the text as the normaliser makes it, if that is to match
  std::int32_t id = 0;
  bool special = false;
  bool single_word = false;  // not inside a word
  bool strips_left = false;  // takes white space with it
  bool strips_right = false;
  bool normalized = false;  // is looked for in normalised text
};

// A token as a tokenizer.json or a tokenizer_config.json writes it, without its id. Throws Error naming the place.
AddedToken read_added_token(const JsonNode& node);

// Finds tokens in a text: the leftmost, of those the longest.
class TokenFinder {
 public:
  // `text` is not empty; of two tokens of the same text the first counts. `token` outlives the finder.
  void add(std::string_view text, const AddedToken& token);
  // Calls on_text(begin, end) and on_token(id) in the order of the text.
  void split(std::string_view text, const std::function<void(std::size_t, std::size_t)>& on_text,
             const std::function<void(std::int32_t)>& on_token) const;

 private:
  ByteTrie trie_;
  std::array<bool, 256> first_bytes_{};
  std::vector<const AddedToken*> tokens_;
};

class AddedTokens {
 public:
  // Ids by Hugging Face's rule: the model's for texts it knows, for others one after the other behind the model's.
  AddedTokens(const std::optional<JsonNode>& list, const Vocabulary& model, const Normalizer* normalizer);
  // Tokens that have their ids, of which of two the last counts, none looked for in normalised text.
  explicit AddedTokens(std::vector<AddedToken> tokens);
  AddedTokens(const AddedTokens&) = delete;
  AddedTokens& operator=(const AddedTokens&) = delete;

  const TokenFinder& in_text() const { return in_text_; }
  const TokenFinder& in_normalized_text() const { return in_normalized_text_; }
  const AddedToken* find(std::int32_t id) const;
  std::int32_t id_of(std::string_view text) const;  // -1: no such token
  std::vector<std::string> special_texts() const;   // in the order of their ids
  std::int32_t end_id() const { return end_id_; }   // one past the largest; 0 without tokens

 private:
  void keep(AddedToken token);
  void make_finders();
  std::vector<const AddedToken*> in_order() const;

  std::unordered_map<std::int32_t, AddedToken> by_id_;
  std::unordered_map<std::string, std::int32_t> ids_;
  TokenFinder in_text_;
  TokenFinder in_normalized_text_;
  std::int32_t end_id_ = 0;
};

}  // namespace witan
