// A compiled regular expression over UTF-8, by PCRE2 with its just-in-time compiler. The syntax is PCRE2's; patterns of
// tokenizer.json are translated by oniguruma.h first.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

namespace witan {

class Regex {
 public:
  struct Match {
    std::size_t begin = 0;
    std::size_t end = 0;
  };
  // One search through one text, from left to right. Owns what a search writes to, so that one Regex serves all
  // threads.
  class Search {
   public:
    explicit Search(const Regex& regex);
    Search(const Search&) = delete;
    Search& operator=(const Search&) = delete;
    ~Search();
    // `text` is valid UTF-8 and outlives the search.
    void start(std::string_view text);
    // The next match that does not overlap the last one; an empty match right behind a match does not count. False at
    // the end. Throws Error when the pattern needs more steps than any sensible one.
    bool next(Match& match);

   private:
    struct Buffers;
    const Regex& regex_;
    std::unique_ptr<Buffers> buffers_;
    std::string_view text_;
    std::size_t from_ = 0;
    std::size_t last_end_ = 0;
    bool matched_ = false;
  };

  // `^` and `$` match at lines. Throws Error "where: ..." for a pattern that cannot be compiled.
  Regex(const std::string& pattern, const std::string& where);
  Regex(const Regex&) = delete;
  Regex& operator=(const Regex&) = delete;
  ~Regex();

 private:
  struct Code;
  std::unique_ptr<Code> code_;
  std::string where_;
};

}  // namespace witan
