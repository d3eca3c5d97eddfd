// What Transformers keeps beside a tokenizer.json: which tokens are special, and whether a text begins and ends with
// them. As Transformers 4.57 reads it.
#pragma once

#include <filesystem>
#include <map>
#include <string>

namespace witan {

struct SpecialTokenNames {
  // What stands around a text.
  enum class Around {
    kTemplate,          // what the post-processor of the tokenizer.json adds
    kFlags,             // adds_bos and adds_eos, whatever the post-processor says
    kTemplateElseFlags  // the flags where the post-processor adds nothing
  };

  std::map<std::string, std::string> texts;  // "bos_token" -> "<s>"; those that are set
  Around around = Around::kTemplateElseFlags;
  bool adds_bos = false;
  bool adds_eos = false;

  // Empty: none.
  std::string text(const std::string& key) const;
};

// From tokenizer_config.json and special_tokens_map.json in `folder`, where they are there. The map goes before the
// config unless that has an "added_tokens_decoder"; then the map is not read. `around` follows "tokenizer_class": the
// fast classes of Llama, CodeLlama, Gemma, Cohere and GPT-NeoX build what stands around a text from their flags, the
// others leave it to the tokenizer.json. Throws Error naming the place for values of another type.
SpecialTokenNames read_special_token_names(const std::filesystem::path& folder);

}  // namespace witan
