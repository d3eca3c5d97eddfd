// Messages in the form of Hugging Face's chat templates.
#include "witan/chat_session.h"

#include <nlohmann/json.hpp>

#include "base/error.h"

namespace witan::cli {

ChatSession::ChatSession(const std::filesystem::path& folder, const std::string& system)
    : template_(ChatTemplate::load(folder)),
      messages_(std::make_unique<nlohmann::ordered_json>(nlohmann::ordered_json::array())) {
  if (template_ == nullptr) {
    fail(
        "{}: no chat template; expected chat_template.jinja or 'chat_template' in tokenizer_config.json. Models "
        "without one continue a text: leave out --chat",
        folder.string());
  }
  if (!system.empty()) messages_->push_back({{"role", "system"}, {"content", system}});
}

ChatSession::~ChatSession() = default;

std::string ChatSession::ask(const std::string& message) {
  messages_->push_back({{"role", "user"}, {"content", message}});
  return template_->render(*messages_);
}

void ChatSession::answered(const std::string& message) {
  messages_->push_back({{"role", "assistant"}, {"content", message}});
}

}  // namespace witan::cli
