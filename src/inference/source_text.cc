// Follows transformers' NllbTokenizer, which replaces the post-processor of the tokenizer.json.
#include "inference/source_text.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/json.h"
#include "base/suggest.h"

namespace witan {
namespace {

constexpr const char* kTokenizerConfig = "tokenizer_config.json";

// ISO 639-3 and ISO 15924: "fra_Latn".
bool is_language(std::string_view token) {
  constexpr std::string_view kForm = "aaa_Aaaa";
  if (token.size() != kForm.size()) return false;
  for (std::size_t i = 0; i < token.size(); ++i) {
    const auto c = static_cast<unsigned char>(token[i]);
    const bool fits = kForm[i] == '_' ? c == '_' : kForm[i] == 'A' ? c >= 'A' && c <= 'Z' : c >= 'a' && c <= 'z';
    if (!fits) return false;
  }
  return true;
}

// Absent and null say nothing.
void read_name(const nlohmann::json& json, const char* key, const std::string& where, std::string& name) {
  const auto found = json.find(key);
  if (found == json.end() || found->is_null()) return;
  if (!found->is_string()) fail("{}: {}: expected a language, got {}", where, key, found->dump());
  name = found->get<std::string>();
}

}  // namespace

void require_readable(std::size_t tokens) {
  if (tokens <= kLongestSource) return;
  fail("a line has {} tokens, expected at most {}: each is compared with each other; cut long lines", tokens,
       kLongestSource);
}

SourceText::SourceText(const std::filesystem::path& folder, const EncoderDecoderConfig& config,
                       const Tokenizer& tokenizer)
    : tokenizer_(tokenizer) {
  if (!config.names_languages) return;
  languages_ = tokenizer.added_special_tokens();
  std::erase_if(languages_, [](const std::string& token) { return !is_language(token); });
  if (languages_.empty()) {
    fail("{}: {} translates between languages, but the tokenizer has no token of one, such as fra_Latn",
         folder.string(), config.model_type);
  }
  end_token_ = tokenizer.eos_id() >= 0 ? tokenizer.eos_id() : tokenizer.token_id("</s>");
  if (end_token_ < 0) fail("{}: the tokenizer has no end token, which stands behind every source", folder.string());
  const std::filesystem::path path = folder / kTokenizerConfig;
  if (!std::filesystem::exists(path)) return;
  const nlohmann::json json = read_json_object(path);
  read_name(json, "src_lang", path.string(), default_source_);
  read_name(json, "tgt_lang", path.string(), default_target_);
  const auto legacy = json.find("legacy_behaviour");
  if (legacy != json.end() && !legacy->is_null()) {
    if (!legacy->is_boolean()) fail("{}: legacy_behaviour: expected true or false", path.string());
    legacy_ = legacy->get<bool>();
  }
}

std::int32_t SourceText::language_token(const std::string& language) const {
  if (std::ranges::find(languages_, language) == languages_.end()) {
    fail("unknown language '{}'{}; this model has {}, such as {}", language, suggestion(language, languages_),
         languages_.size(), languages_.front());
  }
  return tokenizer_.token_id(language);
}

std::vector<std::int32_t> SourceText::ids(std::string_view text, const std::string& language) const {
  if (languages_.empty()) {
    std::vector<std::int32_t> ids = tokenizer_.encode_with_special(text);
    require_readable(ids.size());
    return ids;
  }
  const std::int32_t token = language_token(language);
  std::vector<std::int32_t> ids = tokenizer_.encode(text);
  if (!legacy_) ids.insert(ids.begin(), token);
  ids.push_back(end_token_);
  if (legacy_) ids.push_back(token);
  require_readable(ids.size());
  return ids;
}

}  // namespace witan
