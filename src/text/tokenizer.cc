// What all tokenizers share, and loading: the files in a folder decide which it is.
#include "text/tokenizer.h"

#include "base/error.h"
#include "base/file.h"
#include "text/bpe_tokenizer.h"
#include "text/hugging_face_files.h"

namespace witan {

std::string Tokenizer::decode(const std::vector<std::int32_t>& ids) const {
  std::string text;
  for (const std::int32_t id : ids) text += token_bytes(id);
  return text;
}

std::unique_ptr<Tokenizer> load_tokenizer(const std::filesystem::path& folder) {
  const std::filesystem::path model = folder / "tokenizer.model";
  const std::filesystem::path json = folder / "tokenizer.json";
  std::error_code error;
  if (std::filesystem::exists(model, error)) {
    return std::make_unique<BpeTokenizer>(read_text_file(model), model.string());
  }
  if (!std::filesystem::exists(json, error)) {
    fail("{}: no tokenizer: looked for tokenizer.model and tokenizer.json", folder.string());
  }
  if (!is_byte_json(json)) {
    fail("{}: expected Witan's byte tokenizer (byte-level BPE without merges); others need a tokenizer.model beside it",
         json.string());
  }
  return make_byte_tokenizer();
}

}  // namespace witan
