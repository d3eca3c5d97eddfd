// A model's chat template: messages to the text that the model was trained on. Jinja as Hugging Face runs it (blocks
// trimmed, `raise_exception`, `strftime_now`, `tojson` as Python writes JSON), without what templates of models do not
// use: inheritance, includes, calls with a body, recursive loops. Untrusted: bounded in depth, steps and memory.
#pragma once

#include <filesystem>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

namespace witan {

struct TemplateStatement;

class ChatTemplate {
 public:
  // `source`: the template; `where` begins messages ("chat_template.jinja"). `variables`: an object of what the
  // template may name besides the arguments of render, such as bos_token. Throws Error "where: line 3: ..." for what it
  // does not understand.
  ChatTemplate(std::string_view source, std::string where, const nlohmann::ordered_json& variables);
  ~ChatTemplate();

  // From chat_template.jinja, else "chat_template" of tokenizer_config.json (of several the one named "default", or
  // `name`), with the names of the special tokens. Nothing when the folder has none.
  static std::unique_ptr<ChatTemplate> load(const std::filesystem::path& folder, const std::string& name = "default");

  // `messages`: a list of {"role", "content", ...}; `tools`: a list, or null for none. `more`: an object of further
  // variables, such as enable_thinking. Encode the result without adding special tokens: it names them. Throws Error
  // "where: line 3: ..." where the template raises one or does what cannot be done.
  std::string render(const nlohmann::ordered_json& messages, const nlohmann::ordered_json& tools,
                     bool add_generation_prompt, const nlohmann::ordered_json& more) const;
  std::string render(const nlohmann::ordered_json& messages, bool add_generation_prompt = true) const;

 private:
  std::string where_;
  std::vector<TemplateStatement> statements_;
  std::unique_ptr<nlohmann::ordered_json> variables_;
};

}  // namespace witan
