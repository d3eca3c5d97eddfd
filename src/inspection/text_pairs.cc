// Cutting, choosing and encoding.
#include "inspection/text_pairs.h"

#include <algorithm>
#include <utility>

#include "base/error.h"

namespace witan {
namespace {

constexpr std::string_view kBlanks = " \t\r\n\f\v";

bool blank(std::string_view text) { return text.find_first_not_of(kBlanks) == std::string_view::npos; }

// Pieces of about `bytes` bytes that together are the text, without those that are blank.
void cut_into(std::string_view text, std::size_t bytes, std::uint16_t domain, std::vector<PairedLine>& pieces) {
  while (!text.empty()) {
    std::size_t cut = text.size();
    if (cut > bytes) {
      const std::size_t space = text.find_last_of(kBlanks, bytes - 1);
      cut = space == std::string_view::npos ? bytes : space + 1;
      // Not within a character; a whole one at least.
      const auto continues = [&] {
        return cut < text.size() && (static_cast<unsigned char>(text[cut]) & 0xC0U) == 0x80U;
      };
      while (cut > 1 && continues()) --cut;
      while (continues()) ++cut;
    }
    const std::string_view piece = text.substr(0, cut);
    if (!blank(piece)) pieces.push_back({piece, piece, domain});
    text.remove_prefix(cut);
  }
}

std::vector<PairedLine> pieces_of(std::span<const Document> documents, std::size_t bytes) {
  std::vector<PairedLine> pieces;
  for (const Document& document : documents) {
    cut_into(document.text, bytes, static_cast<std::uint16_t>(document.domain), pieces);
  }
  return pieces;
}

// `count` of them at the most, evenly spread.
std::vector<PairedLine> spread(const std::vector<PairedLine>& lines, std::size_t count) {
  if (count >= lines.size()) return lines;
  std::vector<PairedLine> chosen;
  for (std::size_t i = 0; i < count; ++i) chosen.push_back(lines[i * lines.size() / count]);
  return chosen;
}

// What the sources of some of the lines come to.
struct Measured {
  double lines = 0.0;
  double bytes = 0.0;
  double tokens = 0.0;
};

Measured measured(const std::vector<PairedLine>& lines, const Tokenizer& tokenizer) {
  constexpr std::size_t kSampled = 16;
  Measured sample;
  for (const PairedLine& line : spread(lines, kSampled)) {
    sample.lines += 1.0;
    sample.bytes += static_cast<double>(line.source.size());
    sample.tokens += static_cast<double>(tokenizer.encode(line.source).size());
  }
  sample.tokens = std::max(1.0, sample.tokens);
  return sample;
}

// Tables name it and losses count its bytes, of which the tokenizer has to know.
void require_token(std::string_view what, std::int64_t id, const Tokenizer& tokenizer) {
  if (id < tokenizer.vocab_size()) return;
  fail("inspect: the model's {} is token {}, the tokenizer has {}; they do not belong together", what, id,
       tokenizer.vocab_size());
}

std::size_t at_least_one(double count) { return static_cast<std::size_t>(std::max(1.0, count)); }

}  // namespace

PairMaker::PairMaker(const EncoderDecoderConfig& config, const Tokenizer& tokenizer, const SourceText& source,
                     PairOptions options)
    : tokenizer_(tokenizer), source_(source), options_(std::move(options)) {
  const std::vector<std::int64_t>& ends = config.eos_token_ids;
  if (!ends.empty()) require_token("end of an output", ends.front(), tokenizer);
  require_token("start of an output", config.decoder_start_token_id, tokenizer);
  end_token_ = ends.empty() ? tokenizer.eos_id() : static_cast<std::int32_t>(ends.front());
  opening_ = {static_cast<std::int32_t>(config.decoder_start_token_id)};
  if (source.languages().empty()) return;
  source.language_token(options_.source_language);
  opening_.push_back(source.language_token(options_.target_language));
}

std::vector<TextPair> PairMaker::of_documents(std::span<const Document> documents) const {
  constexpr std::size_t kSampledBytes = 1024;
  const std::vector<PairedLine> shown = pieces_of(documents, kSampledBytes);
  if (shown.empty()) fail("inspect: the text holds no word");
  const Measured sample = measured(shown, tokenizer_);
  const auto length = static_cast<double>(options_.sequence_length);
  const std::vector<PairedLine> pieces = pieces_of(documents, at_least_one(length * sample.bytes / sample.tokens));
  std::vector<TextPair> pairs;
  for (const PairedLine& piece : spread(pieces, at_least_one(static_cast<double>(options_.tokens) / length))) {
    pairs.push_back(pair(piece));
  }
  return pairs;
}

std::vector<TextPair> PairMaker::of_lines(std::span<const PairedLine> lines) const {
  std::vector<PairedLine> told;
  for (const PairedLine& line : lines) {
    if (!blank(line.source) && !blank(line.output)) told.push_back(line);
  }
  if (told.empty()) fail("inspect: no line has both a source and an output, of {} lines", lines.size());
  const Measured sample = measured(told, tokenizer_);
  std::vector<TextPair> pairs;
  const double wanted = static_cast<double>(options_.tokens) * sample.lines / sample.tokens;
  for (const PairedLine& line : spread(told, at_least_one(wanted))) pairs.push_back(pair(line));
  return pairs;
}

TextPair PairMaker::pair(const PairedLine& line) const {
  TextPair pair;
  pair.domain = line.domain;
  pair.source = source_.ids(line.source, options_.source_language);
  const std::vector<std::int32_t> output = tokenizer_.encode(line.output);
  pair.inputs = opening_;
  pair.inputs.insert(pair.inputs.end(), output.begin(), output.end());
  pair.targets.assign(opening_.size() - 1, kNoTarget);
  pair.targets.insert(pair.targets.end(), output.begin(), output.end());
  pair.targets.push_back(end_token_ < 0 ? kNoTarget : end_token_);
  return pair;
}

}  // namespace witan
