// Prompts from held-out text, and what the generator makes of them.
#include "witan/samples.h"

#include "base/interrupt.h"
#include "inference/generator.h"

namespace witan::cli {
namespace {

constexpr std::size_t kPromptCharacters = 48;
constexpr std::int64_t kNewTokens = 48;

bool starts_character(char byte) { return (static_cast<unsigned char>(byte) & 0xC0U) != 0x80U; }

}  // namespace

std::string prompt_of(const std::string& text, std::size_t characters) {
  const std::size_t begin = text.find_first_not_of(" \t\r\n");
  if (begin == std::string::npos) return "";
  std::size_t end = begin;
  std::size_t seen = 0;
  std::size_t space = 0;  // after which the cut may fall
  for (; end < text.size(); ++end) {
    if (!starts_character(text[end])) continue;
    if (seen == characters) break;
    ++seen;
    if (seen * 2 > characters && (text[end] == ' ' || text[end] == '\n')) space = end;
  }
  if (seen < characters) return "";
  return text.substr(begin, (space > 0 ? space : end) - begin);
}

std::vector<Sample> choose_prompts(const Corpus& corpus, const Tokenizer& tokenizer, std::int64_t max_positions,
                                   std::size_t limit) {
  std::vector<Sample> samples;
  for (std::size_t domain = 0; domain < corpus.domains.size() && samples.size() < limit; ++domain) {
    for (const Document& document : corpus.heldout) {
      if (static_cast<std::size_t>(document.domain) != domain) continue;
      const std::string prompt = prompt_of(document.text, kPromptCharacters);
      const auto tokens = static_cast<std::int64_t>(tokenizer.encode(prompt).size());
      if (prompt.empty() || tokens + 2 > max_positions) continue;
      samples.push_back({corpus.domains[domain], prompt, ""});
      break;
    }
  }
  return samples;
}

void continue_prompts(std::vector<Sample>& samples, Decoder& model, const Tokenizer& tokenizer, std::uint64_t seed) {
  Generator generator(model, tokenizer);
  SamplingOptions sampling;
  sampling.seed = static_cast<std::int64_t>(seed);
  GenerationOptions options;
  options.max_tokens = kNewTokens;
  for (Sample& sample : samples) {
    throw_if_interrupted();
    sample.text = generator.generate(sample.prompt, sampling, options).text;
  }
}

}  // namespace witan::cli
