// Merging by search and by heap against the definition, and cutting at borders against not cutting.
#include "text/bpe_merger.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "base/random.h"
#include "text/merge_borders.h"

namespace witan {
namespace bpe_merger_test {

using Pair = std::pair<std::int32_t, std::int32_t>;

struct Rule {
  std::uint32_t rank = 0;
  std::int32_t merged = 0;
};

// The lowest rank anywhere, the leftmost of them, again and again.
std::vector<std::int32_t> merged_by_definition(std::vector<std::int32_t> ids, const std::map<Pair, Rule>& rules) {
  for (;;) {
    std::size_t best = ids.size();
    std::uint32_t rank = UINT32_MAX;
    for (std::size_t i = 0; i + 1 < ids.size(); ++i) {
      const auto rule = rules.find({ids[i], ids[i + 1]});
      if (rule == rules.end() || rule->second.rank >= rank) continue;
      rank = rule->second.rank;
      best = i;
    }
    if (best == ids.size()) return ids;
    ids[best] = rules.at({ids[best], ids[best + 1]}).merged;
    ids.erase(ids.begin() + static_cast<std::ptrdiff_t>(best) + 1);
  }
}

struct Language {
  std::vector<std::string> tokens = {"a", "b", "c", "_", "é"};
  std::map<Pair, Rule> rules;
  BpeMerger merger;
  MergeBorders borders;
};

Language random_language(Random& random, int size, bool crosses_words) {
  Language language;
  for (int tries = 0; tries < size; ++tries) {
    const auto left = static_cast<std::int32_t>(random.below(language.tokens.size()));
    const auto right = static_cast<std::int32_t>(random.below(language.tokens.size()));
    const std::string token =
        language.tokens[static_cast<std::size_t>(left)] + language.tokens[static_cast<std::size_t>(right)];
    if (language.rules.contains({left, right})) continue;
    const auto border = token.find('_', 1);
    if (!crosses_words && border != std::string::npos) continue;
    const auto known = std::ranges::find(language.tokens, token);
    const auto merged = static_cast<std::int32_t>(known - language.tokens.begin());
    if (known == language.tokens.end()) language.tokens.push_back(token);
    const auto rank = static_cast<std::uint32_t>(tries / 2);  // some share a rank
    language.rules[{left, right}] = {rank, merged};
    language.merger.add(left, right, rank, merged);
    language.borders.add_token(token);
  }
  return language;
}

TEST(BpeMergerTest, MergesByTheDefinition) {
  Random random(3);
  BpeMerger::Scratch scratch;
  for (int round = 0; round < 200; ++round) {
    const Language language = random_language(random, 30, true);
    std::vector<std::int32_t> ids(random.below(round % 4 == 0 ? 200 : 50));
    for (std::int32_t& id : ids) id = static_cast<std::int32_t>(random.below(6)) - 1;  // -1 merges with nothing
    std::vector<std::int32_t> result = {7};
    result.insert(result.end(), ids.begin(), ids.end());
    language.merger.merge(result, 1, scratch);
    EXPECT_EQ(result[0], 7) << "what stands before is left alone";
    result.erase(result.begin());
    EXPECT_EQ(result, merged_by_definition(ids, language.rules)) << "round " << round;
  }
}

TEST(MergeBordersTest, CuttingChangesNothing) {
  Random random(4);
  BpeMerger::Scratch scratch;
  const std::vector<std::string> characters = {"a", "b", "c", "_", "é"};
  std::size_t words = 0;
  for (int round = 0; round < 200; ++round) {
    const Language language = random_language(random, 20, round % 2 == 0);
    std::string text;
    std::vector<std::int32_t> ids;
    for (std::uint64_t i = 0; i < 1 + random.below(60); ++i) {
      ids.push_back(static_cast<std::int32_t>(random.below(characters.size())));
      text += characters[static_cast<std::size_t>(ids.back())];
    }
    std::vector<std::int32_t> cut;
    std::size_t next = 0;
    for (std::string_view rest = text; !rest.empty(); ++words) {
      const std::string_view word = rest.substr(0, language.borders.word_length(rest));
      rest.remove_prefix(word.size());
      const std::size_t begin = cut.size();
      for (const char c : word) {
        if ((static_cast<unsigned char>(c) & 0xC0) != 0x80) cut.push_back(ids[next++]);
      }
      language.merger.merge(cut, begin, scratch);
    }
    language.merger.merge(ids, 0, scratch);
    EXPECT_EQ(cut, ids) << text;
  }
  EXPECT_GT(words, 1000U) << "it does cut";
}

}  // namespace bpe_merger_test
}  // namespace witan
