// What is put around the tokens of a text: the "post_processor" of a tokenizer.json, for single texts. Offsets, which
// some processors only move, are not kept.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

namespace witan {

class JsonNode;

class PostProcessor {
 public:
  PostProcessor() = default;
  // TemplateProcessing, BertProcessing, RobertaProcessing, ByteLevel and Sequences of them. Throws Error naming the
  // place and the type for others, and for a template that needs two texts.
  explicit PostProcessor(const JsonNode& node);

  bool adds_tokens() const;
  // `ids` between what the templates put around them.
  std::vector<std::int32_t> apply(std::vector<std::int32_t> ids) const;
  // The largest id that it adds; -1: none.
  std::int32_t largest_id() const;

 private:
  using Item = std::optional<std::int32_t>;  // an id, or the text
  using Template = std::vector<Item>;

  void read(const JsonNode& node, int depth);

  std::vector<Template> templates_;  // one after the other
};

}  // namespace witan
