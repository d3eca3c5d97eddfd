// Text on disk -> tokens in a mapped cache -> batches. Domains are the user's files or top folders.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "text/tokenizer.h"

namespace witan {

struct DataOptions {
  std::vector<std::filesystem::path> paths;  // files and folders: .txt, .jsonl ("text" field), each also .gz
  bool lossy = false;                        // replace invalid UTF-8 by U+FFFD instead of refusing it
  double heldout_share = 0.05;               // of each domain's bytes, cut at document or line ends
  std::uint64_t seed = 0;
};

struct Document {
  std::string text;
  std::int32_t domain = 0;
};

// What was read, before tokenization. Throws Error (file and byte offset) for invalid UTF-8, binary files, no data.
struct Corpus {
  std::vector<std::string> domains;  // names, sorted
  std::vector<Document> train;
  std::vector<Document> heldout;
  std::int64_t train_bytes = 0;
  std::int64_t heldout_bytes = 0;
  std::string content_key;  // hash of everything that decides the tokens' source: names, bytes, options
};
Corpus read_corpus(const DataOptions& options);
// The held-out text of all domains, concatenated: what compressors are compared on.
std::string heldout_text(const Corpus& corpus);

// A split as tokens: bos, document, eos, ... one domain after the other, with for each token its domain.
class TokenStream {
 public:
  virtual ~TokenStream() = default;
  virtual std::span<const std::int32_t> tokens() const = 0;
  virtual std::span<const std::uint16_t> domains() const = 0;
  virtual std::int64_t bytes() const = 0;  // UTF-8 bytes of the text behind the tokens
};

struct TokenizedCorpus {
  std::vector<std::string> domains;
  std::unique_ptr<TokenStream> train;
  std::unique_ptr<TokenStream> heldout;
};
// Cached in `cache_folder`, keyed by content_key and tokenizer; a damaged or foreign cache is made anew.
TokenizedCorpus tokenize_corpus(const Corpus& corpus, const Tokenizer& tokenizer,
                                const std::filesystem::path& cache_folder);

// A batch of sequences: inputs and next-token targets, [batch * sequence] each.
struct Batch {
  std::vector<std::int32_t> inputs;
  std::vector<std::int32_t> targets;
  std::vector<std::uint16_t> domains;  // of each target
};

// Windows of sequence + 1 tokens in an order shuffled per epoch; batch i depends on (seed, i) alone, so a run resumes
// anywhere. Throws Error when the stream is shorter than one window.
class BatchSampler {
 public:
  BatchSampler(const TokenStream& stream, std::int64_t batch, std::int64_t sequence, std::uint64_t seed);
  void fill(std::int64_t index, Batch& out) const;
  std::int64_t batches_per_epoch() const;

 private:
  const TokenStream& stream_;
  std::int64_t batch_;
  std::int64_t sequence_;
  std::uint64_t seed_;
};

}  // namespace witan
