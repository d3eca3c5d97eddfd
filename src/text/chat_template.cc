// Where templates come from, and what they are given.
#include "text/chat_template.h"

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "text/hugging_face_files.h"
#include "text/special_token_names.h"
#include "text/template_evaluator.h"
#include "text/template_syntax.h"
#include "text/utf8.h"

namespace witan {
namespace {

using OrderedJson = nlohmann::ordered_json;

}  // namespace

ChatTemplate::ChatTemplate(std::string_view source, std::string where, const OrderedJson& variables)
    : where_(std::move(where)), variables_(std::make_unique<OrderedJson>(variables)) {
  if (find_invalid_utf8(source) != std::string_view::npos) fail("{}: not UTF-8", where_);
  if (!variables.is_object()) fail("{}: the variables are no object", where_);
  statements_ = parse_template(source, where_);
}

ChatTemplate::~ChatTemplate() = default;

std::unique_ptr<ChatTemplate> ChatTemplate::load(const std::filesystem::path& folder, const std::string& name) {
  const std::filesystem::path config_file = folder / "tokenizer_config.json";
  const std::filesystem::path template_file = folder / "chat_template.jinja";
  nlohmann::json config = nlohmann::json::object();
  if (file_is_there(config_file)) config = read_json_file(config_file);
  if (!config.is_object()) fail("{}: expected an object", config_file.string());
  OrderedJson variables = OrderedJson::object();
  // A token that is not set is left undefined, as transformers does.
  for (const auto& [key, text] : read_special_token_names(folder).texts) variables[key] = text;
  if (file_is_there(template_file)) {
    return std::make_unique<ChatTemplate>(read_text_file(template_file), template_file.string(), variables);
  }
  const std::string where = config_file.string() + ": chat_template";
  const auto found = config.find("chat_template");
  if (found == config.end() || found->is_null()) return nullptr;
  if (found->is_string()) return std::make_unique<ChatTemplate>(found->get<std::string>(), where, variables);
  if (!found->is_array()) fail("{}: expected a string or a list of templates", where);
  for (const nlohmann::json& one : *found) {
    if (!one.is_object() || !one.contains("name") || !one.contains("template") || !one["template"].is_string()) {
      fail("{}: expected a list of {{\"name\", \"template\"}}", where);
    }
    if (one["name"] == name)
      return std::make_unique<ChatTemplate>(one["template"].get<std::string>(), where, variables);
  }
  fail("{}: no template is named {}", where, name);
}

std::string ChatTemplate::render(const OrderedJson& messages, const OrderedJson& tools, bool add_generation_prompt,
                                 const OrderedJson& more) const {
  if (!messages.is_array()) fail("{}: expected a list of messages", where_);
  OrderedJson variables = *variables_;
  variables["messages"] = messages;
  variables["add_generation_prompt"] = add_generation_prompt;
  variables["tools"] = tools;
  for (const auto& [name, value] : more.items()) variables[name] = value;
  TemplateValue values;
  try {
    values = TemplateValue::from_json(variables);
  } catch (const Error& error) {
    fail("{}: {}", where_, error.what());
  }
  return evaluate_template(statements_, values, where_);
}

std::string ChatTemplate::render(const OrderedJson& messages, bool add_generation_prompt) const {
  return render(messages, nullptr, add_generation_prompt, OrderedJson::object());
}

}  // namespace witan
