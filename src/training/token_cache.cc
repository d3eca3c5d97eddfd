// The tokens of a corpus in one mapped file.
//
// Header (64 bytes), tokens of train, tokens of held-out (int32), domains of train, domains of held-out (uint16). The
// header's checksum covers the rest of the header and all that follows, so a file that passes is what was written; its
// numbers are compared with the file's size before that. Little-endian, as is all that Witan runs on.
#include <fmt/core.h>

#include <array>
#include <atomic>
#include <bit>
#include <cstring>
#include <ostream>

#include "base/error.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/interrupt.h"
#include "base/parallel.h"
#include "training/dataset.h"

namespace witan {
namespace {

static_assert(std::endian::native == std::endian::little);

struct Header {
  std::array<char, 8> magic{};
  std::uint64_t version = 0;
  std::array<std::uint64_t, 2> key{};
  std::array<std::uint64_t, 2> tokens{};  // of train and held-out
  std::uint64_t vocab_size = 0;
  std::uint64_t checksum = 0;
};
static_assert(sizeof(Header) == 64);

constexpr std::array<char, 8> kMagic = {'w', 'i', 't', 'a', 'n', 't', 'o', 'k'};
constexpr std::uint64_t kCacheVersion = 1;
constexpr std::uint64_t kBytesPerToken = sizeof(std::int32_t) + sizeof(std::uint16_t);

std::span<const std::byte> header_bytes(const Header& header) {
  return std::as_bytes(std::span(&header, 1)).first(offsetof(Header, checksum));
}

// What decides the tokens: the text, and what the tokenizer makes of it. Pieces are ranked by id, so the bytes of all
// of them say how text is cut.
std::array<std::uint64_t, 2> cache_key(const Corpus& corpus, const Tokenizer& tokenizer) {
  std::array<std::uint64_t, 2> key{};
  for (std::size_t i = 0; i < key.size(); ++i) {
    Hasher hasher(i);
    hasher.update(corpus.content_key);
    hasher.update_number(static_cast<std::uint64_t>(tokenizer.vocab_size()));
    hasher.update_number(static_cast<std::uint64_t>(tokenizer.bos_id()));
    hasher.update_number(static_cast<std::uint64_t>(tokenizer.eos_id()));
    for (std::int32_t id = 0; id < tokenizer.vocab_size(); ++id) {
      const std::string bytes = tokenizer.token_bytes(id);
      hasher.update_number(bytes.size());
      hasher.update(bytes);
    }
    key[i] = hasher.digest();
  }
  return key;
}

struct EncodedSplit {
  std::vector<std::vector<std::int32_t>> documents;  // with bos and eos
  std::uint64_t tokens = 0;
};

// Documents are handed out one by one, so that a long one does not keep the others waiting; the result does not depend
// on who encodes which.
EncodedSplit encode(const std::vector<Document>& documents, const Tokenizer& tokenizer, Progress& progress,
                    std::int64_t& done_bytes) {
  EncodedSplit split;
  split.documents.resize(documents.size());
  std::atomic<std::size_t> next{0};
  std::atomic<std::int64_t> bytes{done_bytes};
  parallel_region([&](int thread, int) {
    for (std::size_t i = next++; i < documents.size() && !interrupted(); i = next++) {
      std::vector<std::int32_t> ids = tokenizer.encode(documents[i].text);
      if (tokenizer.bos_id() >= 0) ids.insert(ids.begin(), tokenizer.bos_id());
      if (tokenizer.eos_id() >= 0) ids.push_back(tokenizer.eos_id());
      split.documents[i] = std::move(ids);
      bytes += static_cast<std::int64_t>(documents[i].text.size());
      if (thread == 0) progress.update(bytes);
    }
  });
  throw_if_interrupted();
  done_bytes = bytes;
  for (const std::vector<std::int32_t>& ids : split.documents) split.tokens += ids.size();
  return split;
}

using Sink = std::function<void(std::span<const std::byte>)>;

// All that follows the header, in order.
void pour(const Corpus& corpus, const std::array<EncodedSplit, 2>& splits, const Sink& sink) {
  for (const EncodedSplit& split : splits) {
    for (const std::vector<std::int32_t>& ids : split.documents) sink(std::as_bytes(std::span(ids)));
  }
  std::vector<std::uint16_t> domains;
  for (std::size_t s = 0; s < splits.size(); ++s) {
    const std::vector<Document>& documents = s == 0 ? corpus.train : corpus.heldout;
    for (std::size_t i = 0; i < documents.size(); ++i) {
      domains.assign(splits[s].documents[i].size(), static_cast<std::uint16_t>(documents[i].domain));
      sink(std::as_bytes(std::span(domains)));
    }
  }
}

void write_cache(const std::filesystem::path& path, const Corpus& corpus, const Tokenizer& tokenizer,
                 const std::array<std::uint64_t, 2>& key, const ProgressOptions& options) {
  const ByteUnit unit = byte_unit(corpus.train_bytes + corpus.heldout_bytes);
  Progress progress("tokenize", corpus.train_bytes + corpus.heldout_bytes, options, unit.name, unit.bytes);
  std::int64_t done_bytes = 0;
  const std::array<EncodedSplit, 2> splits = {encode(corpus.train, tokenizer, progress, done_bytes),
                                              encode(corpus.heldout, tokenizer, progress, done_bytes)};
  Header header{kMagic,
                kCacheVersion,
                key,
                {splits[0].tokens, splits[1].tokens},
                static_cast<std::uint64_t>(tokenizer.vocab_size()),
                0};
  Hasher hasher;
  hasher.update(header_bytes(header));
  pour(corpus, splits, [&](std::span<const std::byte> bytes) { hasher.update(bytes); });
  header.checksum = hasher.digest();
  write_file(path, [&](std::ostream& stream) {
    const auto write = [&](std::span<const std::byte> bytes) {
      stream.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
    };
    write(std::as_bytes(std::span(&header, 1)));
    pour(corpus, splits, write);
  });
  progress.update(done_bytes);
  progress.finish(fmt::format("{} tokens", splits[0].tokens + splits[1].tokens));
}

// nullptr when there is none, or one that is not what write_cache wrote for this key.
std::shared_ptr<const MappedFile> open_cache(const std::filesystem::path& path, const std::array<std::uint64_t, 2>& key,
                                             std::uint64_t vocab_size) {
  std::error_code error;
  if (!std::filesystem::is_regular_file(path, error)) return nullptr;
  auto file = std::make_shared<const MappedFile>(path);
  const std::span<const std::byte> bytes = file->bytes();
  Header header;
  if (bytes.size() < sizeof header) return nullptr;
  std::memcpy(&header, bytes.data(), sizeof header);
  if (header.magic != kMagic || header.version != kCacheVersion || header.key != key ||
      header.vocab_size != vocab_size) {
    return nullptr;
  }
  const std::uint64_t room = (bytes.size() - sizeof header) / kBytesPerToken;
  if (header.tokens[0] > room || header.tokens[1] != room - header.tokens[0] ||
      bytes.size() != sizeof header + room * kBytesPerToken) {
    return nullptr;
  }
  Hasher hasher;
  hasher.update(header_bytes(header));
  hasher.update(bytes.subspan(sizeof header));
  return hasher.digest() == header.checksum ? file : nullptr;
}

class MappedTokens : public TokenStream {
 public:
  MappedTokens(std::shared_ptr<const MappedFile> file, std::size_t split, std::vector<std::int64_t> domain_bytes)
      : file_(std::move(file)), domain_bytes_(std::move(domain_bytes)) {
    Header header;
    std::memcpy(&header, file_->bytes().data(), sizeof header);
    const std::uint64_t all = header.tokens[0] + header.tokens[1];
    const std::uint64_t before = split == 0 ? 0 : header.tokens[0];
    const std::byte* const payload = file_->bytes().data() + sizeof header;
    tokens_ = {reinterpret_cast<const std::int32_t*>(payload) + before, header.tokens[split]};
    domains_ = {reinterpret_cast<const std::uint16_t*>(payload + all * sizeof(std::int32_t)) + before,
                header.tokens[split]};
    for (const std::int64_t bytes : domain_bytes_) bytes_ += bytes;
  }
  std::span<const std::int32_t> tokens() const override { return tokens_; }
  std::span<const std::uint16_t> domains() const override { return domains_; }
  std::int64_t bytes() const override { return bytes_; }
  std::span<const std::int64_t> domain_bytes() const override { return domain_bytes_; }

 private:
  std::shared_ptr<const MappedFile> file_;
  std::span<const std::int32_t> tokens_;
  std::span<const std::uint16_t> domains_;
  std::vector<std::int64_t> domain_bytes_;
  std::int64_t bytes_ = 0;
};

std::vector<std::int64_t> bytes_by_domain(const std::vector<Document>& documents, std::size_t num_domains) {
  std::vector<std::int64_t> bytes(num_domains);
  for (const Document& document : documents) {
    bytes[static_cast<std::size_t>(document.domain)] += static_cast<std::int64_t>(document.text.size());
  }
  return bytes;
}

}  // namespace

TokenizedCorpus tokenize_corpus(const Corpus& corpus, const Tokenizer& tokenizer,
                                const std::filesystem::path& cache_folder, const ProgressOptions& progress) {
  const std::array<std::uint64_t, 2> key = cache_key(corpus, tokenizer);
  const auto vocab_size = static_cast<std::uint64_t>(tokenizer.vocab_size());
  const std::filesystem::path path = cache_folder / fmt::format("tokens-{}.bin", hex(key[0]));
  std::shared_ptr<const MappedFile> file = open_cache(path, key, vocab_size);
  if (!file) {
    write_cache(path, corpus, tokenizer, key, progress);
    file = open_cache(path, key, vocab_size);
    if (!file) fail("{}: changed while it was written; does another program write there?", path.string());
  }
  TokenizedCorpus result;
  result.domains = corpus.domains;
  result.file = path;
  result.train = std::make_unique<MappedTokens>(file, 0, bytes_by_domain(corpus.train, corpus.domains.size()));
  result.heldout = std::make_unique<MappedTokens>(file, 1, bytes_by_domain(corpus.heldout, corpus.domains.size()));
  return result;
}

}  // namespace witan
