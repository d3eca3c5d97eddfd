// Text on disk -> tokens in a mapped cache -> batches. Domains are the user's files or top folders.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/progress.h"
#include "text/tokenizer.h"

namespace witan {

struct DataOptions {
  std::vector<std::filesystem::path> paths;  // files and folders: .txt, .jsonl ("text" field), source code; also .gz
  bool lossy = false;                        // replace invalid UTF-8 by U+FFFD instead of refusing it
  double heldout_share = 0.05;               // of each domain's bytes, cut at document or line ends; in [0, 1)
  ProgressOptions progress = {};
};

struct Document {
  std::string text;
  std::int32_t domain = 0;
};

// What was read, before tokenization. Documents stand in the order of their domains, then of their files' names.
struct Corpus {
  std::vector<std::string> domains;  // names, sorted
  std::vector<Document> train;
  std::vector<Document> heldout;
  std::int64_t train_bytes = 0;
  std::int64_t heldout_bytes = 0;
  std::string content_key;  // hash of everything that decides the tokens' source: domains, texts, split
};

// Folders are read with all that is below them, but for hidden files and folders, links to folders, and files of
// unknown kinds; a file that is named itself may be of any kind, if it is text.
//
// Domains: each folder directly below a given folder, and each file that lies directly in it (by its name without
// extensions; more than 32 of these are one domain, named after the folder). Of several paths each is a domain: a
// folder by its name, a file by its name without extensions. Equal names are one domain.
//
// Held out is the end of each section of a domain: a section is a run of documents of about 128 KiB, a longer document
// being cut at line ends, so that the held-out text stands for all of a book and not for its appendix; a smaller domain
// is one section. Of a section, whole documents are held out from the last backwards, then the last lines of one more,
// cut at the line end nearest to heldout_share of its bytes. A section of two lines or documents has at least one on
// each side; one of a single line is cut at a space, or between two characters when it has none.
//
// Throws Error for a missing path, no data, binary files and invalid UTF-8 (with file and byte offset), Interrupted
// between two files.
Corpus read_corpus(const DataOptions& options);
// The held-out text of all domains, concatenated: what compressors are compared on.
std::string heldout_text(const Corpus& corpus);

// A split as tokens: bos, document, eos, ... one domain after the other, with for each token its domain.
//
// Bits per byte = nats summed over all targets / ln 2 / bytes of the text behind them. Every token but the first of the
// stream is a target, bos and eos too: they cost nats and stand for no bytes, so the measure includes knowing where
// documents end. Over a whole split the bytes are bytes(); of one domain, domain_bytes().
class TokenStream {
 public:
  virtual ~TokenStream() = default;
  virtual std::span<const std::int32_t> tokens() const = 0;
  virtual std::span<const std::uint16_t> domains() const = 0;
  virtual std::int64_t bytes() const = 0;                          // UTF-8 bytes of the text behind the tokens
  virtual std::span<const std::int64_t> domain_bytes() const = 0;  // the same by domain; they sum to bytes()
};

struct TokenizedCorpus {
  std::vector<std::string> domains;
  std::unique_ptr<TokenStream> train;
  std::unique_ptr<TokenStream> heldout;
  std::filesystem::path file;  // in which both are
};
// Both splits in one mapped file in `cache_folder` (created when missing), named by content_key and tokenizer; a
// damaged or foreign one is made anew. Documents are encoded in parallel. Stops with Interrupted when interrupted.
TokenizedCorpus tokenize_corpus(const Corpus& corpus, const Tokenizer& tokenizer,
                                const std::filesystem::path& cache_folder, const ProgressOptions& progress = {});

// A batch of sequences: inputs and next-token targets, [batch * sequence] each.
struct Batch {
  std::vector<std::int32_t> inputs;
  std::vector<std::int32_t> targets;
  std::vector<std::uint16_t> domains;  // of each target
};

// Windows of sequence + 1 tokens. An epoch cuts the stream, taken as a circle, from a random place on into windows that
// overlap by the one token that is the last target of one and the first input of the next, and shuffles them: every
// token is a target once, but for less than one window. Batch i depends on (seed, i) alone, so a run resumes anywhere;
// a batch may end one epoch and begin the next. Throws Error when the stream is shorter than one window.
class BatchSampler {
 public:
  BatchSampler(const TokenStream& stream, std::int64_t batch, std::int64_t sequence, std::uint64_t seed);
  // Thread-safe. Allocates only when `out` has not been filled before.
  void fill(std::int64_t index, Batch& out) const;
  std::int64_t batches_per_epoch() const;  // rounded up

 private:
  std::uint64_t windows() const { return stream_.tokens().size() / static_cast<std::size_t>(sequence_); }

  const TokenStream& stream_;
  std::int64_t batch_;
  std::int64_t sequence_;
  std::uint64_t seed_;
};

}  // namespace witan
