// Follows tokenizers 0.23, down to what happens when the white space that two tokens take overlaps.
#include "text/added_tokens.h"

#include <algorithm>

#include "base/error.h"
#include "text/json_node.h"
#include "text/normalizer.h"
#include "text/unicode.h"
#include "text/vocabulary.h"

namespace witan {
namespace {

std::size_t start_of_last_character(std::string_view text) {
  std::size_t start = text.size() - 1;
  while (start > 0 && (static_cast<unsigned char>(text[start]) & 0xC0) == 0x80) --start;
  return start;
}

bool ends_with_word(std::string_view text) {
  if (text.empty()) return false;
  std::size_t position = start_of_last_character(text);
  return is_word(next_character(text, position));
}

bool begins_with_word(std::string_view text) {
  std::size_t position = 0;
  return !text.empty() && is_word(next_character(text, position));
}

// Bytes of the white space at the start.
std::size_t leading_space(std::string_view text) {
  std::size_t end = 0;
  for (std::size_t position = 0; position < text.size(); end = position) {
    if (!is_white_space(next_character(text, position))) break;
  }
  return end;
}

// Where the white space at the end begins.
std::size_t trailing_space(std::string_view text) {
  while (!text.empty()) {
    const std::size_t start = start_of_last_character(text);
    std::size_t position = start;
    if (!is_white_space(next_character(text, position))) break;
    text = text.substr(0, start);
  }
  return text.size();
}

}  // namespace

AddedToken read_added_token(const JsonNode& node) {
  AddedToken token;
  token.text = node.at("content").text();
  token.special = node.flag_or("special", false);
  token.single_word = node.flag_or("single_word", false);
  token.strips_left = node.flag_or("lstrip", false);
  token.strips_right = node.flag_or("rstrip", false);
  token.normalized = node.flag_or("normalized", true);
  token.decoded_text = token.text;
  return token;
}

void TokenFinder::add(std::string_view text, const AddedToken& token) {
  bool known = false;
  trie_.prefixes(text, [&](std::size_t length, std::int32_t) { known = known || length == text.size(); });
  if (known) return;
  trie_.add(text, static_cast<std::int32_t>(tokens_.size()));
  first_bytes_[static_cast<unsigned char>(text[0])] = true;
  tokens_.push_back(&token);
}

void TokenFinder::split(std::string_view text, const std::function<void(std::size_t, std::size_t)>& on_text,
                        const std::function<void(std::int32_t)>& on_token) const {
  std::size_t done = 0;
  for (std::size_t position = 0; position < text.size() && !tokens_.empty();) {
    if (!first_bytes_[static_cast<unsigned char>(text[position])]) {
      ++position;
      continue;
    }
    std::size_t length = 0;
    const AddedToken* token = nullptr;
    trie_.prefixes(text.substr(position), [&](std::size_t size, std::int32_t index) {
      length = size;
      token = tokens_[static_cast<std::size_t>(index)];
    });
    if (token == nullptr) {
      ++position;
      continue;
    }
    std::size_t begin = position;
    std::size_t end = position + length;
    position = end;
    if (token->single_word && (ends_with_word(text.substr(0, begin)) || begins_with_word(text.substr(end)))) continue;
    if (token->strips_left) begin = std::max(trailing_space(text.substr(0, begin)), done);
    if (token->strips_right) end += leading_space(text.substr(end));
    if (begin >= end) continue;  // the token before has taken all of it
    if (done < begin) on_text(done, begin);
    on_token(token->id);
    done = end;
  }
  if (done < text.size()) on_text(done, text.size());
}

AddedTokens::AddedTokens(const std::optional<JsonNode>& list, const Vocabulary& model, const Normalizer* normalizer) {
  if (!list) return;
  auto next_id = static_cast<std::int32_t>(model.size());
  for (const JsonNode& node : list->items()) {
    AddedToken token = read_added_token(node);
    if (token.text.empty()) continue;
    const auto known = ids_.find(token.text);
    token.id = known != ids_.end() ? known->second : model.find(token.text);
    if (token.id < 0) token.id = next_id++;
    if (token.normalized && normalizer != nullptr) normalizer->apply(token.decoded_text);
    keep(std::move(token));
  }
  make_finders();
}

AddedTokens::AddedTokens(std::vector<AddedToken> tokens) {
  for (AddedToken& token : tokens) {
    WITAN_ASSERT(!token.text.empty() && token.id >= 0);
    token.normalized = false;
    token.decoded_text = token.text;
    keep(std::move(token));
  }
  make_finders();
}

void AddedTokens::keep(AddedToken token) {
  ids_[token.text] = token.id;
  end_id_ = std::max(end_id_, token.id + 1);
  by_id_[token.id] = std::move(token);
}

void AddedTokens::make_finders() {
  for (const AddedToken* token : in_order()) {
    const std::string& text = token->normalized ? token->decoded_text : token->text;
    if (!text.empty()) (token->normalized ? in_normalized_text_ : in_text_).add(text, *token);
  }
}

std::vector<const AddedToken*> AddedTokens::in_order() const {
  std::vector<const AddedToken*> tokens;
  for (const auto& [id, token] : by_id_) tokens.push_back(&token);
  std::ranges::sort(tokens, {}, &AddedToken::id);
  return tokens;
}

std::vector<std::string> AddedTokens::special_texts() const {
  std::vector<std::string> texts;
  for (const AddedToken* token : in_order()) {
    if (token->special) texts.push_back(token->text);
  }
  return texts;
}

const AddedToken* AddedTokens::find(std::int32_t id) const {
  const auto found = by_id_.find(id);
  return found == by_id_.end() ? nullptr : &found->second;
}

std::int32_t AddedTokens::id_of(std::string_view text) const {
  const auto found = ids_.find(std::string(text));
  return found == ids_.end() ? -1 : found->second;
}

}  // namespace witan
