// What `witan inspect --data` shows an encoder-decoder.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "inspection/text_pairs.h"

namespace witan::cli {

struct PairRequest {
  std::vector<std::string> data;    // --data
  std::vector<std::string> target;  // --target-data: the outputs of `data`, file by file and line by line; may be empty
  bool lossy = false;
  PairOptions options;  // languages may be empty: what the tokenizer's files name
};

// Throws Error when files are missing, no text, or do not pair, and for languages that are unknown or missing.
PairedText read_pairs(const std::filesystem::path& folder, const EncoderDecoderConfig& config,
                      const Tokenizer& tokenizer, PairRequest request);

}  // namespace witan::cli
