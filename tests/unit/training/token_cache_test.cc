// Tokenized corpora: what the streams hold, that the cache is used, and that a damaged one is made anew.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <fstream>
#include <sstream>

#include "base/file.h"
#include "base/interrupt.h"
#include "support/mutate.h"
#include "support/temporary_folder.h"
#include "support/text_folder.h"
#include "training/dataset.h"

namespace witan {
namespace token_cache_test {

namespace fs = std::filesystem;
using test::numbered_lines;

class CountingTokenizer : public Tokenizer {
 public:
  std::int64_t vocab_size() const override { return bytes_->vocab_size(); }
  std::vector<std::int32_t> encode(std::string_view text) const override {
    ++calls;
    return bytes_->encode(text);
  }
  std::string token_bytes(std::int32_t id) const override { return bytes_->token_bytes(id); }
  std::int32_t bos_id() const override { return bytes_->bos_id(); }
  std::int32_t eos_id() const override { return bytes_->eos_id(); }
  void save(const fs::path& folder) const override { bytes_->save(folder); }

  mutable std::atomic<int> calls{0};

 private:
  std::unique_ptr<Tokenizer> bytes_ = make_byte_tokenizer();
};

class TokenCacheTest : public ::testing::Test {
 protected:
  TokenCacheTest() {
    write_file(folder_ / "data/de.txt", numbered_lines("de", 30));
    write_file(folder_ / "data/en.jsonl", "{\"text\": \"one\"}\n{\"text\": \"two two\"}\n{\"text\": \"x\"}\n");
    corpus_ = read_data(0.1);
  }
  Corpus read_data(double heldout_share) const {
    DataOptions options;
    options.paths = {folder_ / "data"};
    options.heldout_share = heldout_share;
    return read_corpus(options);
  }
  TokenizedCorpus tokenize(const ProgressOptions& progress = {}) {
    return tokenize_corpus(corpus_, tokenizer_, folder_ / "cache", progress);
  }
  fs::path cache_file() const { return fs::directory_iterator(folder_ / "cache")->path(); }

  test::TemporaryFolder folder_;
  Corpus corpus_;
  CountingTokenizer tokenizer_;
};

std::string text_of(const Tokenizer& tokenizer, const TokenStream& stream, std::uint16_t domain) {
  std::string text;
  for (std::size_t i = 0; i < stream.tokens().size(); ++i) {
    if (stream.domains()[i] == domain) text += tokenizer.token_bytes(stream.tokens()[i]);
  }
  return text;
}

TEST_F(TokenCacheTest, StreamsHoldTheDocumentsBetweenBosAndEos) {
  const TokenizedCorpus tokens = tokenize();
  EXPECT_EQ(tokens.domains, (std::vector<std::string>{"de", "en"}));
  for (const bool train : {true, false}) {
    const TokenStream& stream = train ? *tokens.train : *tokens.heldout;
    const std::vector<Document>& documents = train ? corpus_.train : corpus_.heldout;
    std::string expected[2];
    for (const Document& document : documents) expected[document.domain] += document.text;
    std::int64_t all_bytes = 0;
    for (std::uint16_t domain = 0; domain < 2; ++domain) {
      EXPECT_EQ(text_of(tokenizer_, stream, domain), expected[domain]);
      EXPECT_EQ(stream.domain_bytes()[domain], static_cast<std::int64_t>(expected[domain].size()));
      all_bytes += stream.domain_bytes()[domain];
    }
    EXPECT_EQ(stream.bytes(), all_bytes);
    EXPECT_EQ(stream.bytes(), train ? corpus_.train_bytes : corpus_.heldout_bytes);
    EXPECT_EQ(stream.tokens().front(), tokenizer_.bos_id());
    EXPECT_EQ(stream.tokens().back(), tokenizer_.eos_id());
    EXPECT_EQ(std::ranges::count(stream.tokens(), tokenizer_.bos_id()), static_cast<std::ptrdiff_t>(documents.size()));
    EXPECT_TRUE(std::ranges::is_sorted(stream.domains()));
  }
}

TEST_F(TokenCacheTest, TheSecondTimeNothingIsEncoded) {
  const TokenizedCorpus first = tokenize();
  const int calls = tokenizer_.calls;
  EXPECT_GT(calls, 0);
  const TokenizedCorpus second = tokenize();
  EXPECT_EQ(tokenizer_.calls, calls);
  EXPECT_TRUE(std::ranges::equal(first.train->tokens(), second.train->tokens()));
  EXPECT_EQ(second.train->bytes(), corpus_.train_bytes);
}

TEST_F(TokenCacheTest, OtherTextIsAnotherFile) {
  tokenize();
  write_file(folder_ / "data/de.txt", numbered_lines("de", 31));
  corpus_ = read_data(0.1);
  const TokenizedCorpus tokens = tokenize();
  EXPECT_EQ(tokens.train->bytes(), corpus_.train_bytes);
  EXPECT_EQ(std::distance(fs::directory_iterator(folder_ / "cache"), fs::directory_iterator()), 2);
}

TEST_F(TokenCacheTest, ADamagedCacheIsMadeAnew) {
  const TokenizedCorpus good = tokenize();
  const std::string whole = read_text_file(cache_file());
  Random random(4);
  std::vector<std::string> damaged = {"", "x", whole.substr(0, 63), whole.substr(0, 64), whole + "x"};
  for (int i = 0; i < 30; ++i) damaged.push_back(test::mutated(whole, random));
  for (const std::string& bytes : damaged) {
    // Under a new inode, since the old one is mapped.
    std::ofstream(folder_ / "damaged", std::ios::binary) << bytes;
    fs::rename(folder_ / "damaged", cache_file());
    const int calls = tokenizer_.calls;
    const TokenizedCorpus again = tokenize();
    EXPECT_EQ(tokenizer_.calls > calls, bytes != whole);
    EXPECT_TRUE(std::ranges::equal(good.train->tokens(), again.train->tokens()));
    EXPECT_TRUE(std::ranges::equal(good.heldout->domains(), again.heldout->domains()));
    EXPECT_EQ(read_text_file(cache_file()), whole);
  }
}

TEST_F(TokenCacheTest, AnEmptySplitHasNoTokens) {
  corpus_ = read_data(0.0);
  const TokenizedCorpus tokens = tokenize();
  EXPECT_TRUE(tokens.heldout->tokens().empty());
  EXPECT_EQ(tokens.heldout->bytes(), 0);
}

TEST_F(TokenCacheTest, ShowsProgressOnTheStreamItIsGiven) {
  std::ostringstream out;
  ProgressOptions progress;
  progress.out = &out;
  tokenize(progress);
  EXPECT_TRUE(out.str().starts_with("tokenize: ")) << out.str();
  EXPECT_NE(out.str().find(" tokens\n"), std::string::npos) << out.str();
}

TEST_F(TokenCacheTest, AnInterruptLeavesNoFile) {
  const InterruptScope scope;
  std::raise(SIGINT);
  EXPECT_THROW(tokenize(), Interrupted);
  EXPECT_FALSE(fs::exists(folder_ / "cache") && !fs::is_empty(folder_ / "cache"));
}

}  // namespace token_cache_test
}  // namespace witan
