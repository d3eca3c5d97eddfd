// A model folder against the expected.json beside it: what a reference implementation computes from the same files. See
// tests/golden/checkpoints/README.md for its keys.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace witan::test {

// One line of the comparison.
struct OracleSection {
  std::string name;
  double difference = 0.0;  // the largest one; of sections that count, how many differ
  double tolerance = 0.0;
  std::string worst;                                       // where the largest difference is; empty when there is none
  bool agrees() const { return difference <= tolerance; }  // never for a NaN
};

// Of a decoder: the logits of whole prompts, of prompts fed token by token into the cache, and of all prompts in one
// padded batch; greedy continuations; experts and their weights. Of an encoder-decoder: see encoder_decoder_oracle.h.
// Throws Error when the folder cannot be loaded.
std::vector<OracleSection> check_oracle(const std::filesystem::path& folder);

}  // namespace witan::test
