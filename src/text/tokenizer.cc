// What all tokenizers share, and loading: the files in a folder decide which it is.
#include "text/tokenizer.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/suggest.h"
#include "text/bpe_tokenizer.h"
#include "text/hugging_face_files.h"
#include "text/hugging_face_tokenizer.h"
#include "text/kept_files.h"
#include "text/sentencepiece_model.h"
#include "text/sentencepiece_settings.h"
#include "text/sentencepiece_tokenizer.h"
#include "text/special_token_names.h"
#include "text/tokenizer_document.h"
#include "text/tokenizer_files.h"

namespace witan {
namespace {

namespace fs = std::filesystem;

// For tokenizers whose tokens are bytes whatever stands beside them.
class ByteStream : public TextStream {
 public:
  explicit ByteStream(const Tokenizer& tokenizer) : tokenizer_(tokenizer) {}
  std::string push(std::int32_t id) override { return decoder_.push(tokenizer_.token_bytes(id)); }
  std::string finish() override { return decoder_.finish(); }

 private:
  const Tokenizer& tokenizer_;
  StreamDecoder decoder_;
};

// Whether Transformers would put the start token before a text and nothing behind it, as BpeTokenizer does.
bool only_begins(const SpecialTokenNames& names) {
  return names.around != SpecialTokenNames::Around::kFlags || (names.adds_bos && !names.adds_eos);
}

std::unique_ptr<Tokenizer> load_json(const fs::path& file, bool with_folder) {
  std::string text = read_text_file(file);
  const TokenizerDocument document(text, file.string());
  if (is_byte_document(document)) return make_byte_tokenizer();
  KeptFiles files;
  files.add(file.filename().string(), std::move(text));
  SpecialTokenNames names;
  if (with_folder) {
    names = read_special_token_names(file.parent_path());
    files.add_from(file.parent_path(), {"tokenizer_config.json", "special_tokens_map.json", "chat_template.jinja"});
  }
  return std::make_unique<HuggingFaceTokenizer>(document, names, std::move(files));
}

// The faster reader of a model of our kind, when the tokenizer.json beside it says the same; else nullptr. A model that
// nothing can be made of (a pointer to a large file, another format) is of no interest then.
std::unique_ptr<Tokenizer> load_trained_here(const fs::path& model, const fs::path& json) {
  if (!file_is_there(model)) return nullptr;
  std::string bytes = read_text_file(model);
  try {
    const SentencePieceModel pieces = parse_sentencepiece_model(bytes, model.string());
    if (!BpeTokenizer::supports(pieces)) return nullptr;
    const std::string text = read_text_file(json);
    if (!is_sentencepiece_document(TokenizerDocument(text, json.string()), pieces)) return nullptr;
  } catch (const Error&) {
    return nullptr;
  }
  // A chat template is kept with the tokenizer.json.
  const fs::path folder = model.parent_path();
  const fs::path config = folder / "tokenizer_config.json";
  if (file_is_there(folder / "chat_template.jinja")) return nullptr;
  if (file_is_there(config) && read_json_object(config).contains("chat_template")) return nullptr;
  const SpecialTokenNames names = read_special_token_names(folder);
  const auto is_usual = [&](const char* key, const char* usual) {
    const std::string text = names.text(key);
    return text.empty() || text == usual;
  };
  if (!only_begins(names) || !is_usual("bos_token", "<s>") || !is_usual("eos_token", "</s>")) return nullptr;
  return std::make_unique<BpeTokenizer>(std::move(bytes), model.string());
}

}  // namespace

std::vector<std::int32_t> Tokenizer::encode_with_special(std::string_view text) const {
  std::vector<std::int32_t> ids = encode(text);
  if (bos_id() >= 0) ids.insert(ids.begin(), bos_id());
  return ids;
}

std::string Tokenizer::decode(const std::vector<std::int32_t>& ids, SpecialTokens) const {
  std::string text;
  for (const std::int32_t id : ids) text += token_bytes(id);
  return text;
}

std::unique_ptr<TextStream> Tokenizer::stream(SpecialTokens) const { return std::make_unique<ByteStream>(*this); }

std::vector<std::string> tokenizer_file_names() {
  return {"tokenizer.json", "tokenizer.model", "spiece.model", "sentencepiece.bpe.model"};
}

bool has_tokenizer(const fs::path& folder) {
  return std::ranges::any_of(tokenizer_file_names(), [&](const auto& name) { return file_is_there(folder / name); });
}

std::unique_ptr<Tokenizer> load_tokenizer(const fs::path& folder) {
  const fs::path model = folder / "tokenizer.model";
  const fs::path json = folder / "tokenizer.json";
  // Where both files are there, the tokenizer.json goes first, as in Transformers: it may know tokens that were added.
  if (file_is_there(json)) {
    if (auto same = load_trained_here(model, json)) return same;
    return load_json(json, true);
  }
  if (file_is_there(model)) {
    std::string bytes = read_text_file(model);
    if (BpeTokenizer::supports(parse_sentencepiece_model(bytes, model.string()))) {
      return std::make_unique<BpeTokenizer>(std::move(bytes), model.string());
    }
  }
  if (const auto file = find_sentencepiece_file(folder)) return load_sentencepiece_tokenizer(*file);
  fail("{}: no tokenizer: looked for {}", folder.string(), comma_list(tokenizer_file_names()));
}

std::unique_ptr<Tokenizer> load_tokenizer_json(const fs::path& file) { return load_json(file, false); }

}  // namespace witan
