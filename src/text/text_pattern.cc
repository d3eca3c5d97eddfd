// Plain strings are searched for as such, which is several times faster than an expression.
#include "text/text_pattern.h"

#include "base/error.h"
#include "text/json_node.h"
#include "text/oniguruma.h"

namespace witan {

TextPattern::TextPattern(const JsonNode& node) {
  if (const auto plain = node.find("String")) {
    plain_ = plain->text();
    if (plain_.empty()) regex_ = std::make_unique<Regex>("", plain->path());
  } else if (const auto regex = node.find("Regex")) {
    regex_ = std::make_unique<Regex>(oniguruma_to_pcre2(regex->text(), regex->path()), regex->path());
  } else {
    node.refuse("expected {\"String\": ...} or {\"Regex\": ...}");
  }
}

TextPattern::TextPattern(std::string plain) : plain_(std::move(plain)) { WITAN_ASSERT(!plain_.empty()); }

TextPattern::Search::Search(const TextPattern& pattern) : pattern_(pattern) {
  if (pattern.regex_) regex_ = std::make_unique<Regex::Search>(*pattern.regex_);
}

void TextPattern::Search::start(std::string_view text) {
  text_ = text;
  from_ = 0;
  if (regex_) regex_->start(text);
}

bool TextPattern::Search::next(Regex::Match& match) {
  if (regex_) return regex_->next(match);
  const std::size_t found = text_.find(pattern_.plain_, from_);
  if (found == std::string_view::npos) return false;
  match = {found, found + pattern_.plain_.size()};
  from_ = match.end;
  return true;
}

std::string TextPattern::replaced(std::string_view text, std::string_view content) const {
  constexpr std::size_t kMostBytes = std::size_t{1} << 30;
  std::string result;
  // An empty text has no matches, not even empty ones.
  if (text.empty()) return result;
  result.reserve(text.size());
  Search search(*this);
  search.start(text);
  std::size_t done = 0;
  for (Regex::Match match; search.next(match); done = match.end) {
    result += text.substr(done, match.begin - done);
    result += content;
    if (result.size() > kMostBytes) fail("text: replacing makes more than {} bytes of {}", kMostBytes, text.size());
  }
  result += text.substr(done);
  return result;
}

}  // namespace witan
