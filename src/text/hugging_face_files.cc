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

std::string utf8(std::uint32_t code) {
  if (code < 0x80) return std::string(1, static_cast<char>(code));
  return {static_cast<char>(0xC0 | (code >> 6)), static_cast<char>(0x80 | (code & 0x3F))};
}

// How byte-level BPE writes the bytes: printable Latin-1 as itself, the rest as the characters from U+0100 on.
std::vector<std::string> byte_characters() {
  std::vector<std::string> characters;
  std::uint32_t next = 0x100;
  for (std::uint32_t byte = 0; byte < 256; ++byte) {
    const bool printable = (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte <= 0xFF && byte != 0xAD);
    characters.push_back(utf8(printable ? byte : next++));
  }
  return characters;
}

Json byte_vocabulary(std::int32_t bos_id, std::int32_t eos_id) {
  Json vocabulary = Json::object();
  const std::vector<std::string> characters = byte_characters();
  for (std::size_t byte = 0; byte < characters.size(); ++byte) vocabulary[characters[byte]] = byte;
  vocabulary[kBeginText] = bos_id;
  vocabulary[kEndText] = eos_id;
  return vocabulary;
}

}  // namespace

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
  Json vocabulary = Json::object();
  Json added = Json::array();
  std::int32_t bos_id = 0;
  for (std::size_t i = 0; i < model.pieces.size(); ++i) {
    const SentencePieceModel::Piece& piece = model.pieces[i];
    const auto id = static_cast<std::int32_t>(i);
    vocabulary[piece.text] = id;
    if (piece.type == Type::kControl || piece.type == Type::kUnknown) added.push_back(added_token(id, piece.text));
    if (piece.type == Type::kControl && piece.text == kBeginText) bos_id = id;
  }
  Json merges = Json::array();
  for (const RankedMerge& merge : ranked_merges(model)) {
    merges.push_back(model.pieces[static_cast<std::size_t>(merge.left)].text + " " +
                     model.pieces[static_cast<std::size_t>(merge.right)].text);
  }
  const auto replace = [](const char* from, const char* to) {
    return Json{{"type", "Replace"}, {"pattern", {{"String", from}}}, {"content", to}};
  };
  const Json json = {
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
        {"byte_fallback", true},
        {"vocab", vocabulary},
        {"merges", merges}}}};
  write_json(folder / kTokenizerFile, json);
  save_config(folder, "LlamaTokenizer", true);
}

void save_byte_json(const std::filesystem::path& folder, std::int32_t bos_id, std::int32_t eos_id) {
  const Json byte_level = {
      {"type", "ByteLevel"}, {"add_prefix_space", false}, {"trim_offsets", true}, {"use_regex", false}};
  const Json json = {{"version", "1.0"},
                     {"truncation", nullptr},
                     {"padding", nullptr},
                     {"added_tokens", Json::array({added_token(bos_id, kBeginText), added_token(eos_id, kEndText)})},
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

bool is_byte_json(const std::filesystem::path& file) {
  const nlohmann::json json = read_json_file(file);
  const nlohmann::json expected = byte_vocabulary(256, 257);
  return json.is_object() && json.contains("model") && json["model"].is_object() &&
         json["model"].value("type", nlohmann::json()) == "BPE" &&
         json["model"].value("vocab", nlohmann::json()) == expected &&
         json["model"].value("merges", nlohmann::json()) == nlohmann::json::array() && json.contains("pre_tokenizer") &&
         json["pre_tokenizer"].is_object() && json["pre_tokenizer"].value("type", nlohmann::json()) == "ByteLevel";
}

}  // namespace witan
