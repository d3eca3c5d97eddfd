// Every processor is a template of ids and places for the text.
#include "text/post_processor.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/error.h"
#include "text/json_node.h"

namespace witan {
namespace {

std::int32_t id_from(const JsonNode& node) {
  const std::int64_t id = node.integer();
  if (id < 0 || id > INT32_MAX - 1) node.refuse(fmt::format("{} is no id", id));
  return static_cast<std::int32_t>(id);
}

// ["[SEP]", 102]
std::int32_t id_of_pair(const JsonNode& node) {
  const std::vector<JsonNode> pair = node.items();
  if (pair.size() != 2) node.refuse("expected [token, id]");
  return id_from(pair[1]);
}

}  // namespace

PostProcessor::PostProcessor(const JsonNode& node) { read(node, 0); }

void PostProcessor::read(const JsonNode& node, int depth) {
  const std::string type = node.at("type").text();
  if (type == "ByteLevel") return;
  if (type == "BertProcessing" || type == "RobertaProcessing") {
    templates_.push_back({id_of_pair(node.at("cls")), std::nullopt, id_of_pair(node.at("sep"))});
    return;
  }
  if (type == "Sequence") {
    if (depth == kDeepestSequence) node.refuse("sequences nest too deeply");
    for (const JsonNode& item : node.at("processors").items()) read(item, depth + 1);
    return;
  }
  if (type != "TemplateProcessing") {
    node.refuse(fmt::format(
        "the type {} is unknown (known: BertProcessing, ByteLevel, RobertaProcessing, Sequence, TemplateProcessing)",
        type));
  }
  Template single;
  for (const JsonNode& item : node.at("single").items()) {
    if (const auto sequence = item.find("Sequence")) {
      if (sequence->at("id").text() != "A") sequence->refuse("a template for one text holds another one");
      single.emplace_back();
      continue;
    }
    const JsonNode name = item.at("SpecialToken").at("id");
    const auto token = node.at("special_tokens").find(name.text().c_str());
    if (!token) name.refuse(fmt::format("\"{}\" is not among the special_tokens", name.text()));
    for (const JsonNode& id : token->at("ids").items()) single.emplace_back(id_from(id));
  }
  templates_.push_back(std::move(single));
}

bool PostProcessor::adds_tokens() const { return largest_id() >= 0; }

std::int32_t PostProcessor::largest_id() const {
  std::int32_t largest = -1;
  for (const Template& one : templates_) {
    for (const Item& item : one) largest = std::max(largest, item.value_or(-1));
  }
  return largest;
}

std::vector<std::int32_t> PostProcessor::apply(std::vector<std::int32_t> ids) const {
  // A file may repeat the text in each of many templates.
  constexpr std::size_t kMost = std::size_t{1} << 28;
  for (const Template& one : templates_) {
    std::vector<std::int32_t> result;
    for (const Item& item : one) {
      if (item) {
        result.push_back(*item);
      } else {
        result.insert(result.end(), ids.begin(), ids.end());
      }
      if (result.size() > kMost) fail("tokenizer: the post_processor makes more than {} tokens of a text", kMost);
    }
    ids = std::move(result);
  }
  return ids;
}

}  // namespace witan
