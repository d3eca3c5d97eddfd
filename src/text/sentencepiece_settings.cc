// Follows the constructors of the three tokenizers and PreTrainedTokenizerBase._from_pretrained.
#include "text/sentencepiece_settings.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <string_view>

#include "base/error.h"
#include "base/json.h"
#include "text/hugging_face_files.h"
#include "text/json_node.h"

namespace witan {
namespace {

namespace fs = std::filesystem;
using Family = SentencePieceFamily;

struct FamilyFiles {
  Family family;
  const char* file;
  const char* tokenizer_class;
};
constexpr std::array kFamilies = {FamilyFiles{Family::kLlama, "tokenizer.model", "LlamaTokenizer"},
                                  FamilyFiles{Family::kT5, "spiece.model", "T5Tokenizer"},
                                  FamilyFiles{Family::kNllb, "sentencepiece.bpe.model", "NllbTokenizer"}};

// The four that NLLB's vocabulary begins with, in the order of their ids.
constexpr std::array kNllbFirst = {"<s>", "<pad>", "</s>", "<unk>"};
constexpr std::int32_t kNllbUnknown = 3;
constexpr std::int32_t kNllbOffset = 1;

AddedToken special_token(std::string text, std::int32_t id = -1) {
  AddedToken token;
  token.text = std::move(text);
  token.special = true;
  token.id = id;
  return token;
}

// By the names that the files give them. What stands there and null is no token.
class NamedTokens {
 public:
  explicit NamedTokens(Family family) {
    for (const char* name : {"bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token"}) {
      names_.emplace_back(name);
    }
    const auto set = [&](const char* name, const char* text) { tokens_[name] = special_token(text); };
    set("eos_token", "</s>");
    set("unk_token", "<unk>");
    if (family != Family::kT5) set("bos_token", "<s>");
    if (family != Family::kLlama) set("pad_token", "<pad>");
    names_.emplace_back("mask_token");
    if (family != Family::kNllb) return;
    set("mask_token", "<mask>");
    tokens_["mask_token"].strips_left = true;
  }

  void read(const JsonNode& root) {
    for (const std::string& name : names_) {
      if (!root.json().contains(name)) continue;
      tokens_.erase(name);
      if (const auto node = root.find(name.c_str())) tokens_[name] = token_of(*node);
    }
    if (const auto list = root.find("additional_special_tokens")) {
      additional_.emplace();
      for (const JsonNode& node : list->items()) additional_->push_back(token_of(node));
    }
  }

  std::string text(const std::string& name) const {
    const auto found = tokens_.find(name);
    return found == tokens_.end() ? "" : found->second.text;
  }
  std::optional<std::vector<AddedToken>>& additional() { return additional_; }
  // The named ones; the mask stands behind languages.
  std::vector<AddedToken> in_order() const {
    std::vector<AddedToken> all;
    const auto add = [&](const std::string& name) {
      if (const auto found = tokens_.find(name); found != tokens_.end()) all.push_back(found->second);
    };
    for (const std::string& name : names_) {
      if (name != "mask_token") add(name);
    }
    if (additional_) all.insert(all.end(), additional_->begin(), additional_->end());
    add("mask_token");
    return all;
  }

 private:
  static AddedToken token_of(const JsonNode& node) {
    AddedToken token = node.is_object() ? read_added_token(node) : special_token(node.text());
    token.special = true;
    return token;
  }

  std::vector<std::string> names_;
  std::map<std::string, AddedToken> tokens_;
  std::optional<std::vector<AddedToken>> additional_;
};

// Tokens by their ids, checked: memory follows the largest.
class TokenList {
 public:
  TokenList(const Vocabulary& vocabulary, std::size_t pieces)
      : vocabulary_(vocabulary), most_(static_cast<std::int64_t>(16 * pieces + 65536)) {}

  void set(AddedToken token, std::int64_t id, const std::string& where) {
    if (token.text.empty()) return;
    if (id < 0 || id > most_) fail("{}: the id {} of \"{}\" is out of range", where, id, token.text);
    token.id = static_cast<std::int32_t>(id);
    texts_.insert(token.text);
    by_id_[id] = std::move(token);
  }

  // Those that have no id yet: that of the vocabulary, or the next one behind all.
  void append(const std::vector<AddedToken>& tokens, const std::string& where) {
    const auto added = std::ranges::count_if(texts_, [&](const auto& text) { return vocabulary_.find(text) < 0; });
    std::int64_t next = static_cast<std::int64_t>(vocabulary_.size()) + added;
    for (const AddedToken& token : tokens) {
      if (texts_.contains(token.text)) continue;
      const std::int32_t known = vocabulary_.find(token.text);
      set(token, known >= 0 ? known : next++, where);
    }
  }

  std::vector<AddedToken> take() {
    std::vector<AddedToken> tokens;
    for (auto& [id, token] : by_id_) tokens.push_back(std::move(token));
    return tokens;
  }

 private:
  const Vocabulary& vocabulary_;
  std::int64_t most_;
  std::map<std::int64_t, AddedToken> by_id_;
  std::set<std::string> texts_;
};

nlohmann::json read_optional(const fs::path& path) {
  return file_is_there(path) ? read_json_object(path) : nlohmann::json::object();
}

bool is_extra_id(const AddedToken& token) { return token.text.find("<extra_id_") != std::string::npos; }

// T5's blanks, the first with the highest id, unless the list of further special tokens has none: then those follow it.
void set_extra_ids(const JsonNode& config, std::size_t pieces, NamedTokens& special, TokenList& tokens) {
  constexpr std::int64_t kMost = 1 << 16;
  const auto node = config.find("extra_ids");
  const std::int64_t count = node ? node->integer() : 100;
  if (count < 0 || count > kMost) node->refuse(fmt::format("{} is out of range (expected 0 to {})", count, kMost));
  std::optional<std::vector<AddedToken>>& further = special.additional();
  const auto name = [](std::int64_t i) { return fmt::format("<extra_id_{}>", i); };
  const std::int64_t listed = further ? std::ranges::count_if(*further, is_extra_id) : count;
  if (further && listed > 0 && count > 0 && listed != count) {
    config.refuse(fmt::format("extra_ids={}, but additional_special_tokens has {} of them", count, listed));
  }
  if (further && listed == 0) {
    for (std::int64_t i = 0; i < count; ++i) further->push_back(special_token(name(i)));
    return;
  }
  for (std::int64_t i = 0; i < listed; ++i) {
    AddedToken token = special_token(name(i));
    token.strips_left = token.strips_right = true;
    tokens.set(std::move(token), static_cast<std::int64_t>(pieces) - 1 + count - i, config.path());
  }
}

// "added_tokens_decoder" of a tokenizer_config.json: ids as keys.
void set_decoder(const JsonNode& decoder, TokenList& tokens) {
  if (!decoder.is_object()) decoder.refuse("expected an object");
  for (const auto& [key, value] : decoder.json().items()) {
    std::int64_t id = -1;
    const auto [end, error] = std::from_chars(key.data(), key.data() + key.size(), id);
    if (error != std::errc() || end != key.data() + key.size()) decoder.refuse(fmt::format("\"{}\" is no id", key));
    const JsonNode node(value, decoder.path() + "." + key);
    tokens.set(read_added_token(node), id, decoder.path());
  }
}

// added_tokens.json: texts as keys.
void set_texts(const JsonNode& root, const NamedTokens& special, TokenList& tokens) {
  std::set<std::string> names;
  for (const AddedToken& token : special.in_order()) names.insert(token.text);
  for (const auto& [text, id] : root.json().items()) {
    AddedToken token = special_token(text);
    token.special = names.contains(text);
    tokens.set(std::move(token), JsonNode(id, root.path() + ": " + text).integer(), root.path());
  }
}

void require_class(const JsonNode& config, const FamilyFiles& files) {
  std::string name = config.text_or("tokenizer_class", files.tokenizer_class);
  constexpr std::string_view kFast = "Fast";
  if (name.ends_with(kFast)) name.resize(name.size() - kFast.size());
  if (name == files.tokenizer_class) return;
  config.at("tokenizer_class")
      .refuse(fmt::format("{} without a tokenizer.json is not known (known: {} with {}, {} with {}, {} with {})", name,
                          kFamilies[0].tokenizer_class, kFamilies[0].file, kFamilies[1].tokenizer_class,
                          kFamilies[1].file, kFamilies[2].tokenizer_class, kFamilies[2].file));
}

}  // namespace

std::optional<SentencePieceFile> find_sentencepiece_file(const fs::path& folder) {
  for (const FamilyFiles& files : kFamilies) {
    if (file_is_there(folder / files.file)) return SentencePieceFile{folder / files.file, files.family};
  }
  return std::nullopt;
}

SentencePieceSettings read_sentencepiece_settings(const fs::path& folder, Family family,
                                                  const SentencePieceModel& model) {
  const FamilyFiles& files = *std::ranges::find(kFamilies, family, &FamilyFiles::family);
  const fs::path config_path = folder / "tokenizer_config.json";
  const nlohmann::json config_json = read_optional(config_path);
  const JsonNode config(config_json, config_path.string());
  require_class(config, files);
  if (const auto sampling = config.find("sp_model_kwargs"); sampling && !sampling->json().empty()) {
    sampling->refuse("options of the SentencePiece library are not known, expected none");
  }
  const auto decoder = config.find("added_tokens_decoder");
  const fs::path map_path = folder / "special_tokens_map.json";
  const nlohmann::json map_json = decoder ? nlohmann::json::object() : read_optional(map_path);
  NamedTokens special(family);
  special.read(config);
  special.read(JsonNode(map_json, map_path.string()));

  const Vocabulary vocabulary = family_vocabulary(family, model, (folder / files.file).string());
  TokenList tokens(vocabulary, model.pieces.size());
  if (family == Family::kT5) set_extra_ids(config, model.pieces.size(), special, tokens);
  if (family == Family::kNllb) {
    for (std::size_t id = 0; id < kNllbFirst.size(); ++id) {
      tokens.set(special_token(kNllbFirst[id]), static_cast<std::int64_t>(id), config.path());
    }
  }
  if (decoder) {
    set_decoder(*decoder, tokens);
  } else {
    const fs::path added_path = folder / "added_tokens.json";
    const nlohmann::json added_json = read_optional(added_path);
    set_texts(JsonNode(added_json, added_path.string()), special, tokens);
  }
  tokens.append(special.in_order(), config.path());

  SentencePieceSettings settings;
  settings.family = family;
  settings.legacy = family == Family::kNllb || config.flag_or("legacy", true);
  settings.adds_prefix_space = config.flag_or("add_prefix_space", true);
  settings.adds_bos = family == Family::kLlama && config.flag_or("add_bos_token", true);
  settings.adds_eos = family != Family::kLlama || config.flag_or("add_eos_token", false);
  settings.language_behind = config.flag_or("legacy_behaviour", false);
  settings.language = family == Family::kNllb ? config.text_or("src_lang", "eng_Latn") : "";
  settings.bos = special.text("bos_token");
  settings.eos = special.text("eos_token");
  settings.unknown = special.text("unk_token");
  settings.added = tokens.take();
  return settings;
}

Vocabulary family_vocabulary(Family family, const SentencePieceModel& model, const std::string& file) {
  Vocabulary vocabulary;
  std::size_t first = 0;
  if (family == Family::kNllb) {
    constexpr std::array kOwn = {"<unk>", "<s>", "</s>"};
    for (std::size_t i = 0; i < kOwn.size(); ++i) {
      const std::string found = i < model.pieces.size() ? model.pieces[i].text : "";
      if (found != kOwn[i]) fail("{}: piece {} is '{}', expected {} as in NLLB's models", file, i, found, kOwn[i]);
    }
    for (std::size_t id = 0; id < kNllbFirst.size(); ++id) {
      vocabulary.add(kNllbFirst[id], static_cast<std::int32_t>(id));
    }
    first = kOwn.size();
  }
  for (std::size_t i = first; i < model.pieces.size(); ++i) {
    vocabulary.add(model.pieces[i].text, family_id(family, static_cast<std::int32_t>(i), -1));
  }
  return vocabulary;
}

std::int32_t family_id(Family family, std::int32_t piece, std::int32_t unknown_piece) {
  if (family != Family::kNllb) return piece;
  return piece == unknown_piece ? kNllbUnknown : piece + kNllbOffset;
}

}  // namespace witan
