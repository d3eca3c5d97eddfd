// JSON of the Hugging Face tokenizers library, and of the configuration that transformers keeps beside it.
#include "text/hugging_face_files.h"

#include <algorithm>
#include <functional>
#include <nlohmann/json.hpp>
#include <string_view>
#include <tuple>
#include <unordered_map>

#include "base/file.h"
#include "base/json.h"
#include "text/sentencepiece_model.h"
#include "text/tokenizer_document.h"
#include "text/unicode.h"
#include "text/utf8.h"

namespace witan {
namespace {

using Json = nlohmann::ordered_json;
using Type = SentencePieceModel::Type;

constexpr const char* kTokenizerFile = "tokenizer.json";

Json added_token(std::int32_t id, const std::string& text) {
  return {{"id", id},        {"content", text},     {"single_word", false}, {"lstrip", false},
          {"rstrip", false}, {"normalized", false}, {"special", true}};
}

// Puts the beginning-of-text token before every text.
Json begin_template(std::int32_t bos_id) {
  const auto special = [](int type) { return Json{{"SpecialToken", {{"id", kBeginText}, {"type_id", type}}}}; };
  const auto sequence = [](const char* id, int type) { return Json{{"Sequence", {{"id", id}, {"type_id", type}}}}; };
  Json tokens = Json::object();
  tokens[kBeginText] = {{"id", kBeginText}, {"ids", Json::array({bos_id})}, {"tokens", Json::array({kBeginText})}};
  return {{"type", "TemplateProcessing"},
          {"single", Json::array({special(0), sequence("A", 0)})},
          {"pair", Json::array({special(0), sequence("A", 0), special(1), sequence("B", 1)})},
          {"special_tokens", tokens}};
}

void write_json(const std::filesystem::path& path, const Json& json) { write_file(path, json.dump(1) + "\n"); }

void save_config(const std::filesystem::path& folder, const char* tokenizer_class, bool has_unknown) {
  Json special = {{"bos_token", kBeginText}, {"eos_token", kEndText}};
  if (has_unknown) special["unk_token"] = kUnknownText;
  write_json(folder / "special_tokens_map.json", special);
  Json config = special;
  config["tokenizer_class"] = tokenizer_class;
  config["add_bos_token"] = true;
  config["add_eos_token"] = false;
  config["add_prefix_space"] = false;
  config["legacy"] = false;
  config["clean_up_tokenization_spaces"] = false;
  write_json(folder / "tokenizer_config.json", config);
}

Json byte_added_tokens(std::int32_t bos_id, std::int32_t eos_id) {
  return Json::array({added_token(bos_id, kBeginText), added_token(eos_id, kEndText)});
}

Json byte_vocabulary(std::int32_t bos_id, std::int32_t eos_id) {
  Json vocabulary = Json::object();
  for (unsigned byte = 0; byte < 256; ++byte) {
    vocabulary[std::string(byte_character(static_cast<unsigned char>(byte)))] = byte;
  }
  vocabulary[kBeginText] = bos_id;
  vocabulary[kEndText] = eos_id;
  return vocabulary;
}

// The tokenizer.json of a model, but for its vocabulary and merges.
Json sentencepiece_parts(const SentencePieceModel& model) {
  Json added = Json::array();
  std::int32_t bos_id = 0;
  for (std::size_t i = 0; i < model.pieces.size(); ++i) {
    const SentencePieceModel::Piece& piece = model.pieces[i];
    const auto id = static_cast<std::int32_t>(i);
    if (piece.type == Type::kControl || piece.type == Type::kUnknown) added.push_back(added_token(id, piece.text));
    if (piece.type == Type::kControl && piece.text == kBeginText) bos_id = id;
  }
  const auto replace = [](const char* from, const char* to) {
    return Json{{"type", "Replace"}, {"pattern", {{"String", from}}}, {"content", to}};
  };
  return {
      {"version", "1.0"},
      {"truncation", nullptr},
      {"padding", nullptr},
      {"added_tokens", added},
      {"normalizer", replace(" ", "\u2581")},
      {"pre_tokenizer", nullptr},
      {"post_processor", begin_template(bos_id)},
      {"decoder",
       {{"type", "Sequence"},
        {"decoders", Json::array({replace("\u2581", " "), Json{{"type", "ByteFallback"}}, Json{{"type", "Fuse"}}})}}},
      {"model",
       {{"type", "BPE"},
        {"dropout", nullptr},
        {"unk_token", kUnknownText},
        {"continuing_subword_prefix", nullptr},
        {"end_of_word_suffix", nullptr},
        {"fuse_unk", true},
        {"byte_fallback", true}}}};
}

}  // namespace

bool file_is_there(const std::filesystem::path& file) {
  std::error_code ignored;
  return std::filesystem::exists(file, ignored);
}

std::vector<RankedMerge> ranked_merges(const SentencePieceModel& model) {
  std::unordered_map<std::string_view, std::int32_t> ids;
  std::vector<float> scores;
  for (std::size_t id = 0; id < model.pieces.size(); ++id) {
    if (model.pieces[id].type != Type::kNormal) continue;
    ids.emplace(model.pieces[id].text, static_cast<std::int32_t>(id));
    scores.push_back(model.pieces[id].score);
  }
  std::sort(scores.begin(), scores.end(), std::greater<>());
  scores.erase(std::unique(scores.begin(), scores.end()), scores.end());
  std::vector<RankedMerge> merges;
  for (const auto& [text, id] : ids) {
    const float score = model.pieces[static_cast<std::size_t>(id)].score;
    const auto rank = std::lower_bound(scores.begin(), scores.end(), score, std::greater<>()) - scores.begin();
    for (std::size_t split = utf8_length(text); split < text.size(); split += utf8_length(text.substr(split))) {
      const auto left = ids.find(text.substr(0, split));
      const auto right = ids.find(text.substr(split));
      if (left == ids.end() || right == ids.end()) continue;
      merges.push_back({static_cast<std::int32_t>(rank), left->second, right->second, id});
    }
  }
  std::sort(merges.begin(), merges.end(), [](const RankedMerge& a, const RankedMerge& b) {
    return std::tie(a.rank, a.left, a.right) < std::tie(b.rank, b.left, b.right);
  });
  return merges;
}

void save_sentencepiece_json(const std::filesystem::path& folder, const SentencePieceModel& model) {
  Json json = sentencepiece_parts(model);
  Json& vocabulary = json["model"]["vocab"] = Json::object();
  for (std::size_t i = 0; i < model.pieces.size(); ++i) vocabulary[model.pieces[i].text] = i;
  Json& merges = json["model"]["merges"] = Json::array();
  for (const RankedMerge& merge : ranked_merges(model)) {
    merges.push_back(model.pieces[static_cast<std::size_t>(merge.left)].text + " " +
                     model.pieces[static_cast<std::size_t>(merge.right)].text);
  }
  write_json(folder / kTokenizerFile, json);
  save_config(folder, "LlamaTokenizer", true);
}

bool is_sentencepiece_document(const TokenizerDocument& document, const SentencePieceModel& model) {
  if (document.vocabulary.size() != model.pieces.size()) return false;
  for (std::size_t i = 0; i < model.pieces.size(); ++i) {
    if (document.vocabulary.find(model.pieces[i].text) != static_cast<std::int32_t>(i)) return false;
  }
  return *document.parts == nlohmann::json(sentencepiece_parts(model));
}

void save_byte_json(const std::filesystem::path& folder, std::int32_t bos_id, std::int32_t eos_id) {
  const Json byte_level = {
      {"type", "ByteLevel"}, {"add_prefix_space", false}, {"trim_offsets", true}, {"use_regex", false}};
  const Json json = {{"version", "1.0"},
                     {"truncation", nullptr},
                     {"padding", nullptr},
                     {"added_tokens", byte_added_tokens(bos_id, eos_id)},
                     {"normalizer", nullptr},
                     {"pre_tokenizer", byte_level},
                     {"post_processor", begin_template(bos_id)},
                     {"decoder", byte_level},
                     {"model",
                      {{"type", "BPE"},
                       {"dropout", nullptr},
                       {"unk_token", nullptr},
                       {"continuing_subword_prefix", nullptr},
                       {"end_of_word_suffix", nullptr},
                       {"fuse_unk", false},
                       {"byte_fallback", false},
                       {"vocab", byte_vocabulary(bos_id, eos_id)},
                       {"merges", Json::array()}}}};
  write_json(folder / kTokenizerFile, json);
  save_config(folder, "PreTrainedTokenizerFast", false);
}

bool is_byte_document(const TokenizerDocument& document) {
  const nlohmann::json& json = *document.parts;
  if (document.vocabulary.size() != 258 || !document.has_merges || !document.merges.empty()) return false;
  const Json expected = byte_vocabulary(256, 257);
  for (const auto& [token, id] : expected.items()) {
    if (document.vocabulary.find(token) != id.get<std::int32_t>()) return false;
  }
  if (!json.is_object() || !json.contains("added_tokens") ||
      json["added_tokens"] != nlohmann::json(byte_added_tokens(256, 257))) {
    return false;
  }
  const auto type_of = [&](const char* key) {
    const bool typed = json.contains(key) && json[key].is_object() && json[key].contains("type");
    return typed ? json[key]["type"] : nlohmann::json();
  };
  return type_of("model") == "BPE" && type_of("pre_tokenizer") == "ByteLevel";
}

}  // namespace witan
