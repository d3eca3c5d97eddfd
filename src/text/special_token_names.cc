// The classes of Transformers 4.57 that rebuild their post-processor (update_post_processor), and the two files.
#include "text/special_token_names.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <string_view>

#include "base/json.h"
#include "text/hugging_face_files.h"
#include "text/json_node.h"

namespace witan {
namespace {

constexpr std::array kSpecialKeys = {"bos_token", "eos_token", "unk_token", "sep_token",
                                     "pad_token", "cls_token", "mask_token"};

// What the constructor of a class takes for keys that are absent.
struct FlaggedClass {
  std::string_view name;  // without "Fast"
  const char* bos;
  const char* eos;
  const char* unknown;
  bool adds_bos;
};
constexpr std::array kFlaggedClasses = {
    FlaggedClass{"LlamaTokenizer", "<s>", "</s>", "<unk>", true},
    FlaggedClass{"CodeLlamaTokenizer", "<s>", "</s>", "<unk>", true},
    FlaggedClass{"GemmaTokenizer", "<bos>", "<eos>", "<unk>", true},
    FlaggedClass{"CohereTokenizer", "<BOS_TOKEN>", "<|END_OF_TURN_TOKEN|>", "<UNK>", true},
    FlaggedClass{"GPTNeoXTokenizer", "<|endoftext|>", "<|endoftext|>", "<|endoftext|>", false},
};

void take_class(std::string_view name, SpecialTokenNames& names) {
  constexpr std::string_view kFast = "Fast";
  if (name.ends_with(kFast)) name.remove_suffix(kFast.size());
  const auto* const found = std::ranges::find(kFlaggedClasses, name, &FlaggedClass::name);
  names.around =
      found == kFlaggedClasses.end() ? SpecialTokenNames::Around::kTemplate : SpecialTokenNames::Around::kFlags;
  if (found == kFlaggedClasses.end()) return;
  names.texts = {{"bos_token", found->bos}, {"eos_token", found->eos}, {"unk_token", found->unknown}};
  names.adds_bos = found->adds_bos;
}

// A string or an added token; null is no token.
void take_texts(const JsonNode& root, SpecialTokenNames& names) {
  for (const char* key : kSpecialKeys) {
    if (!root.json().contains(key)) continue;
    names.texts.erase(key);
    if (const auto node = root.find(key))
      names.texts[key] = node->is_object() ? node->at("content").text() : node->text();
  }
}

void take_flag(const JsonNode& root, const char* key, bool& flag) {
  if (root.json().contains(key)) flag = root.flag_or(key, false);
}

void take_file(const JsonNode& root, SpecialTokenNames& names) {
  take_texts(root, names);
  take_flag(root, "add_bos_token", names.adds_bos);
  take_flag(root, "add_eos_token", names.adds_eos);
}

}  // namespace

std::string SpecialTokenNames::text(const std::string& key) const {
  const auto found = texts.find(key);
  return found == texts.end() ? "" : found->second;
}

SpecialTokenNames read_special_token_names(const std::filesystem::path& folder) {
  SpecialTokenNames names;
  const std::filesystem::path config_path = folder / "tokenizer_config.json";
  const std::filesystem::path map_path = folder / "special_tokens_map.json";
  nlohmann::json config = nlohmann::json::object();
  if (file_is_there(config_path)) config = read_json_object(config_path);
  nlohmann::json map = nlohmann::json::object();
  if (file_is_there(map_path)) map = read_json_object(map_path);
  const JsonNode root(config, config_path.string());
  if (root.find("added_tokens_decoder")) map = nlohmann::json::object();  // it is of older writers then
  if (const auto name = root.find("tokenizer_class")) take_class(name->text(), names);
  take_file(root, names);
  take_file(JsonNode(map, map_path.string()), names);
  return names;
}

}  // namespace witan
