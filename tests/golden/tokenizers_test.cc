// Folders with a SentencePiece model and no tokenizer.json, against the slow tokenizers of transformers: the cases that
// make_tokenizers.py wrote.
#include <gtest/gtest.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/json.h"
#include "text/tokenizer.h"

namespace witan {
namespace tokenizers_test {

class SlowTokenizerTest : public testing::TestWithParam<const char*> {};

TEST_P(SlowTokenizerTest, GivesTheSameIds) {
  const std::filesystem::path folder = std::filesystem::path(WITAN_TEST_DATA) / "golden" / "tokenizers" / GetParam();
  const std::unique_ptr<Tokenizer> tokenizer = load_tokenizer(folder);
  const nlohmann::json cases = read_json_file(folder / "expected.json");
  ASSERT_GT(cases.size(), 20U);
  for (const nlohmann::json& one : cases) {
    const auto text = one["text"].get<std::string>();
    EXPECT_EQ(tokenizer->encode(text), one["ids"].get<std::vector<std::int32_t>>()) << text;
    EXPECT_EQ(tokenizer->encode_with_special(text), one["ids_with_special"].get<std::vector<std::int32_t>>()) << text;
  }
}

INSTANTIATE_TEST_SUITE_P(Folders, SlowTokenizerTest,
                         testing::Values("llama", "llama_one_prefix", "t5", "t5_one_prefix", "nllb"),
                         [](const auto& given) { return std::string(given.param); });

}  // namespace tokenizers_test
}  // namespace witan
