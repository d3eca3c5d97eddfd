// The released layouts of tests/golden/checkpoints, for tests that run one of them.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "support/tiny_tokenizer.h"

namespace witan::test {

inline std::filesystem::path golden_checkpoint(std::string_view name) {
  return std::filesystem::path(WITAN_TEST_DATA) / "golden" / "checkpoints" / name;
}

// Words for the 256 tokens of the Switch, which has no tokenizer: "w1", "w2", ...
inline std::unique_ptr<Tokenizer> words_of_switch() {
  std::vector<std::string> names;
  for (int i = 1; i < 256; ++i) names.push_back("w" + std::to_string(i));
  return tokenizer_of(word_document(names));
}

}  // namespace witan::test
