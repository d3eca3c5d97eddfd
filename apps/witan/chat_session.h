// A conversation: what was said so far, as text for the model.
#pragma once

#include <filesystem>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "text/chat_template.h"

namespace witan::cli {

class ChatSession {
 public:
  // `system`: what stands before the conversation; empty: nothing. Throws Error when the model has no chat template.
  ChatSession(const std::filesystem::path& folder, const std::string& system);
  ~ChatSession();

  // The text to continue once the user has said `message`. Throws Error where the template refuses.
  std::string ask(const std::string& message);
  // What the model said then.
  void answered(const std::string& message);

 private:
  std::unique_ptr<ChatTemplate> template_;
  std::unique_ptr<nlohmann::ordered_json> messages_;
};

}  // namespace witan::cli
