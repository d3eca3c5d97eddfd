// The "pattern" of a tokenizer.json: {"String": ...} or {"Regex": ...}. Cuts text into matches and what stands between.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "text/regex.h"

namespace witan {

class JsonNode;

class TextPattern {
 public:
  explicit TextPattern(const JsonNode& node);
  explicit TextPattern(std::string plain);  // not empty

  class Search {
   public:
    explicit Search(const TextPattern& pattern);
    void start(std::string_view text);  // as Regex::Search
    bool next(Regex::Match& match);

   private:
    const TextPattern& pattern_;
    std::unique_ptr<Regex::Search> regex_;
    std::string_view text_;
    std::size_t from_ = 0;
  };

  // Null unless the pattern is a plain string that is not empty.
  const std::string* plain() const { return regex_ ? nullptr : &plain_; }
  // Every match replaced.
  std::string replaced(std::string_view text, std::string_view content) const;

 private:
  std::string plain_;
  std::unique_ptr<Regex> regex_;  // also for the empty string, which matches between all characters
};

}  // namespace witan
