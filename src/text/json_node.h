// A place in a JSON document of somebody else: reads fields of an expected type, and says where it is when they are
// not.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

namespace witan {

// How deep sequences of parts may hold sequences of parts.
inline constexpr int kDeepestSequence = 16;

class JsonNode {
 public:
  // `json` outlives the node. `path` is what messages begin with: "tokenizer.json: model".
  JsonNode(const nlohmann::json& json, std::string path);

  // The field of an object; a field that is null counts as absent. at() throws Error when it is.
  std::optional<JsonNode> find(const char* key) const;
  JsonNode at(const char* key) const;

  bool is_object() const;
  // The node's own value; Error "path: expected a string, not 3".
  std::string text() const;
  std::int64_t integer() const;
  bool flag() const;
  std::vector<JsonNode> items() const;
  const nlohmann::json& json() const { return *json_; }
  const std::string& path() const { return path_; }

  bool flag_or(const char* key, bool otherwise) const;
  std::string text_or(const char* key, const std::string& otherwise) const;
  // The only character of a text.
  char32_t character() const;

  // Throws Error "path: message".
  [[noreturn]] void refuse(const std::string& message) const;

 private:
  const nlohmann::json* json_;
  std::string path_;
};

}  // namespace witan
