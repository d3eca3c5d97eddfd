// Thin over nlohmann/json: checks the type, then takes the value.
#include "text/json_node.h"

#include <fmt/core.h>

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "text/unicode.h"

namespace witan {
namespace {

std::string shown(const nlohmann::json& json) {
  constexpr std::size_t kMost = 40;
  std::string text = json.dump(-1, ' ', true, nlohmann::json::error_handler_t::replace);
  if (text.size() > kMost) text = text.substr(0, kMost) + "...";
  return text;
}

}  // namespace

JsonNode::JsonNode(const nlohmann::json& json, std::string path) : json_(&json), path_(std::move(path)) {}

void JsonNode::refuse(const std::string& message) const { fail("{}: {}", path_, message); }

std::optional<JsonNode> JsonNode::find(const char* key) const {
  if (!json_->is_object()) refuse(fmt::format("expected an object, not {}", shown(*json_)));
  const auto found = json_->find(key);
  if (found == json_->end() || found->is_null()) return std::nullopt;
  return JsonNode(*found, fmt::format("{}{}{}", path_, path_.find(": ") == std::string::npos ? ": " : ".", key));
}

JsonNode JsonNode::at(const char* key) const {
  std::optional<JsonNode> found = find(key);
  if (!found) refuse(fmt::format("\"{}\" is missing", key));
  return *found;
}

bool JsonNode::is_object() const { return json_->is_object(); }

std::string JsonNode::text() const {
  if (!json_->is_string()) refuse(fmt::format("expected a string, not {}", shown(*json_)));
  return json_->get<std::string>();
}

std::int64_t JsonNode::integer() const {
  if (!json_->is_number_integer()) refuse(fmt::format("expected a whole number, not {}", shown(*json_)));
  if (json_->is_number_unsigned() && json_->get<std::uint64_t>() > INT64_MAX) refuse("the number is too large");
  return json_->get<std::int64_t>();
}

bool JsonNode::flag() const {
  if (!json_->is_boolean()) refuse(fmt::format("expected true or false, not {}", shown(*json_)));
  return json_->get<bool>();
}

std::vector<JsonNode> JsonNode::items() const {
  if (!json_->is_array()) refuse(fmt::format("expected a list, not {}", shown(*json_)));
  std::vector<JsonNode> nodes;
  for (std::size_t i = 0; i < json_->size(); ++i) nodes.emplace_back((*json_)[i], fmt::format("{}[{}]", path_, i));
  return nodes;
}

bool JsonNode::flag_or(const char* key, bool otherwise) const {
  const std::optional<JsonNode> node = find(key);
  return node ? node->flag() : otherwise;
}

std::string JsonNode::text_or(const char* key, const std::string& otherwise) const {
  const std::optional<JsonNode> node = find(key);
  return node ? node->text() : otherwise;
}

char32_t JsonNode::character() const {
  const std::string value = text();
  std::size_t position = 0;
  const char32_t first = value.empty() ? 0 : next_character(value, position);
  if (value.empty() || position != value.size()) refuse(fmt::format("expected one character, not \"{}\"", value));
  return first;
}

}  // namespace witan
