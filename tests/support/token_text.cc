// Made-up text with something to learn in it.
#include "support/token_text.h"

#include <vector>

#include "base/random.h"

namespace witan::test {
namespace {

class MemoryStream final : public TokenStream {
 public:
  MemoryStream(std::int64_t length, std::uint64_t seed) {
    Random random(seed);
    const auto total = static_cast<std::size_t>(length);
    while (tokens_.size() < total / 2) {
      tokens_.push_back(static_cast<std::int32_t>('0' + tokens_.size() % 10));
    }
    domains_.assign(tokens_.size(), 0);
    while (tokens_.size() < total) {
      const auto letter = static_cast<std::int32_t>('a' + random.below(26));
      tokens_.insert(tokens_.end(), 2, letter);
    }
    domains_.resize(tokens_.size(), 1);
    const auto counted = static_cast<std::int64_t>(total / 2);
    domain_bytes_ = {counted, static_cast<std::int64_t>(tokens_.size()) - counted};
  }
  std::span<const std::int32_t> tokens() const override { return tokens_; }
  std::span<const std::uint16_t> domains() const override { return domains_; }
  std::int64_t bytes() const override { return static_cast<std::int64_t>(tokens_.size()); }
  std::span<const std::int64_t> domain_bytes() const override { return domain_bytes_; }

 private:
  std::vector<std::int32_t> tokens_;
  std::vector<std::uint16_t> domains_;
  std::vector<std::int64_t> domain_bytes_;
};

}  // namespace

TokenizedCorpus small_corpus(std::int64_t tokens, std::uint64_t seed) {
  TokenizedCorpus corpus;
  corpus.domains = {"count", "echo"};
  corpus.train = std::make_unique<MemoryStream>(tokens, seed);
  corpus.heldout = std::make_unique<MemoryStream>(tokens / 6, seed + 1);
  return corpus;
}

}  // namespace witan::test
