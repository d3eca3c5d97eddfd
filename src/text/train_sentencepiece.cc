// Training a tokenizer with the SentencePiece library: what it is given, and how it is asked.
#include <fmt/core.h>
#include <sentencepiece_trainer.h>

#include <algorithm>
#include <unordered_map>

#include "base/child_process.h"
#include "base/error.h"
#include "base/random.h"
#include "text/bpe_tokenizer.h"
#include "text/tokenizer.h"
#include "text/utf8.h"

namespace witan {
namespace {

constexpr std::int64_t kFixedPieces = 3 + 256;  // <unk>, <s>, </s>, and the bytes
// Merge number k of BPE occurs about this / k times per character: measured on eight languages and code.
constexpr double kMergeFrequency = 0.07;

// The most pieces whose rarest merge occurs about three times in a text: what is met less often cannot be learned.
std::int64_t supported_vocab_size(std::size_t text_bytes) {
  constexpr double kLeastMeetings = 3.0;
  constexpr std::int64_t kLeastMerges = 16;
  const auto merges = static_cast<std::int64_t>(kMergeFrequency / kLeastMeetings * static_cast<double>(text_bytes));
  return kFixedPieces + std::max(kLeastMerges, merges);
}

// A line with the newlines after it, so that pieces like ".\n\n" can be learned, and no piece goes on past them.
std::size_t sentence_length(std::string_view text) {
  // Beyond this a line is cut. SentencePiece wants a limit, and its time grows with the longest word.
  constexpr std::size_t kLongest = 4096;
  const std::string_view head =
      text.substr(0, kLongest + 1);  // a text without newlines is searched once, not each time
  std::size_t end = std::min(head.find('\n'), head.size());
  while (end < head.size() && head[end] == '\n') ++end;
  if (end <= kLongest) return end;
  end = kLongest;
  while (end > 1 && (static_cast<unsigned char>(text[end]) & 0xC0U) == 0x80U) --end;
  return end;
}

// A vocabulary twice as large has merges half as frequent, so it needs twice the text to find them. On 8 MB of eight
// languages a sample of this size gave the same bytes per token, to three digits, as all of the text.
std::size_t sample_bytes(std::int64_t vocab_size) {
  constexpr std::size_t kLeast = 1'000'000;
  constexpr std::size_t kPerPiece = 400;
  return std::max(kLeast, kPerPiece * static_cast<std::size_t>(vocab_size));
}

// Sentences of all texts, each taken with the same probability.
std::vector<std::string_view> sample_sentences(const std::vector<std::string_view>& texts, std::size_t total,
                                               std::size_t bytes, std::uint64_t seed) {
  const double probability = static_cast<double>(bytes) / static_cast<double>(std::max<std::size_t>(total, 1));
  Random random(seed);
  std::vector<std::string_view> sentences;
  for (std::string_view text : texts) {
    while (!text.empty()) {
      const std::string_view sentence = text.substr(0, sentence_length(text));
      text.remove_prefix(sentence.size());
      if (probability >= 1.0 || random.uniform_open() < probability) sentences.push_back(sentence);
    }
  }
  return sentences;
}

// SentencePiece means something else by these: space, unknown, end of a word; the library's own use of NUL.
bool reserved(std::string_view character) {
  return character == "\u2581" || character == "\u2585" || character == "\t" || character == std::string_view("\0", 1);
}

// The characters that get a piece. One of n bytes that occurs c times saves c * (n - 1) tokens; it earns its place when
// this is more than the rarest merge saves, for which it takes the place. (A threshold four times as large or small
// costs 1 %.)
std::unordered_map<std::string_view, bool> choose_characters(const std::vector<std::string_view>& sentences,
                                                             std::int64_t vocab_size) {
  std::unordered_map<std::string_view, std::int64_t> counts;
  std::int64_t total = 0;
  for (std::string_view sentence : sentences) {
    while (!sentence.empty()) {
      const std::size_t length = utf8_length(sentence);
      if (length > 0) {
        ++counts[sentence.substr(0, length)];
        ++total;
      }
      sentence.remove_prefix(std::max<std::size_t>(1, length));
    }
  }
  struct Candidate {
    std::string_view character;
    std::int64_t saved = 0;
  };
  std::vector<Candidate> candidates;
  const double threshold = kMergeFrequency * static_cast<double>(total) / static_cast<double>(vocab_size);
  for (const auto& [character, count] : counts) {
    const std::int64_t saved = count * std::max<std::int64_t>(1, static_cast<std::int64_t>(character.size()) - 1);
    if (!reserved(character) && static_cast<double>(saved) >= threshold) candidates.push_back({character, saved});
  }
  std::sort(candidates.begin(), candidates.end(), [](const Candidate& a, const Candidate& b) {
    return a.saved > b.saved || (a.saved == b.saved && a.character < b.character);
  });
  // Merges need room too when the text is short and its characters are many.
  const auto most = static_cast<std::size_t>(std::max<std::int64_t>(1, (vocab_size - kFixedPieces) * 3 / 4));
  candidates.resize(std::min(candidates.size(), most));
  std::unordered_map<std::string_view, bool> chosen;
  for (const Candidate& candidate : candidates) chosen[candidate.character] = true;
  return chosen;
}

// Cuts sentences at characters without a piece: no piece can contain these.
std::vector<std::string> training_sentences(const std::vector<std::string_view>& sentences, std::int64_t vocab_size) {
  const std::unordered_map<std::string_view, bool> chosen = choose_characters(sentences, vocab_size);
  std::vector<std::string> result;
  for (std::string_view sentence : sentences) {
    std::string part;
    while (!sentence.empty()) {
      const std::size_t length = utf8_length(sentence);
      const std::string_view character = sentence.substr(0, std::max<std::size_t>(1, length));
      sentence.remove_prefix(character.size());
      if (length > 0 && chosen.contains(character)) {
        part += character;
      } else if (!part.empty()) {
        result.push_back(std::move(part));
        part.clear();
      }
    }
    if (!part.empty()) result.push_back(std::move(part));
  }
  return result;
}

class MemorySentences : public sentencepiece::SentenceIterator {
 public:
  explicit MemorySentences(const std::vector<std::string>& sentences) : sentences_(sentences) {}
  bool done() const override { return next_ >= sentences_.size(); }
  void Next() override { ++next_; }
  const std::string& value() const override { return sentences_[next_]; }
  sentencepiece::util::Status status() const override { return {}; }

 private:
  const std::vector<std::string>& sentences_;
  std::size_t next_ = 0;
};

}  // namespace

std::unique_ptr<Tokenizer> train_sentencepiece(const std::vector<std::string_view>& texts, std::int64_t vocab_size,
                                               std::uint64_t seed, VocabSize how,
                                               const ProgressOptions& progress_options) {
  constexpr std::int64_t kMost = 1 << 20;
  if (vocab_size <= kFixedPieces || vocab_size > kMost) {
    fail("tokenizer.vocab_size: {} is out of range (expected {} to {}: 256 bytes, 3 special tokens and some pieces)",
         vocab_size, kFixedPieces + 1, kMost);
  }
  std::size_t text_bytes = 0;
  for (const std::string_view text : texts) text_bytes += text.size();
  if (how == VocabSize::kAtMost) vocab_size = std::min(vocab_size, supported_vocab_size(text_bytes));
  const std::vector<std::string> sentences =
      training_sentences(sample_sentences(texts, text_bytes, sample_bytes(vocab_size), seed), vocab_size);
  if (sentences.empty()) fail("tokenizer.vocab_size: no text to train on");
  std::size_t sampled_bytes = 0;
  for (const std::string& sentence : sentences) sampled_bytes += sentence.size();
  // The library does not say how far it is.
  const auto total = static_cast<std::int64_t>(sampled_bytes);
  const ByteUnit unit = byte_unit(total);
  Progress progress("train tokenizer", total, progress_options, unit.name, unit.bytes);
  const std::string note = fmt::format("{} pieces", vocab_size);
  progress.update(0, note);
  const std::unordered_map<std::string, std::string> options = {
      {"model_type", "bpe"},
      {"vocab_size", std::to_string(vocab_size)},
      {"hard_vocab_limit", "false"},  // a text too small is told below, with numbers
      {"byte_fallback", "true"},
      {"character_coverage", "1.0"},  // the characters are chosen already
      {"normalization_rule_name", "identity"},
      {"add_dummy_prefix", "false"},
      {"remove_extra_whitespaces", "false"},
      {"allow_whitespace_only_pieces", "true"},  // indentation as one token: half as many tokens for code and tables
      {"split_by_unicode_script", "false"},      // ").\n", "don't": 2 % fewer tokens
      {"max_sentencepiece_length", "32"},
      {"max_sentence_length", "1000000"},
      {"self_test_sample_size", "0"},
      {"num_threads", "2"},
      {"minloglevel", "4"}};  // above fatal: nothing is printed
  // Nor does it listen to Ctrl-C.
  std::string model = in_child_process("tokenizer", [&] {
    MemorySentences iterator(sentences);
    std::string trained;
    const sentencepiece::util::Status status = sentencepiece::SentencePieceTrainer::Train(options, &iterator, &trained);
    if (!status.ok()) fail("tokenizer: SentencePiece could not be trained: {}", status.ToString());
    return trained;
  });
  auto tokenizer = std::make_unique<BpeTokenizer>(std::move(model), "the trained tokenizer");
  progress.update(total, note);
  progress.finish(note);
  if (how == VocabSize::kExactly && tokenizer->vocab_size() < vocab_size) {
    fail("tokenizer.vocab_size: {} exceeds {}, the most that this text gives; use a smaller one or more text",
         vocab_size, tokenizer->vocab_size());
  }
  return tokenizer;
}

}  // namespace witan
