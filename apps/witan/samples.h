// Short continuations of held-out text, one per domain, to read what a model has learned.
#pragma once

#include <string>
#include <vector>

#include "models/decoder.h"
#include "text/tokenizer.h"
#include "training/analysis.h"
#include "training/dataset.h"

namespace witan::cli {

// The start of the first held-out document of each domain that is long enough, as samples without a text; for `limit`
// domains at the most. `max_positions`: of the model.
std::vector<Sample> choose_prompts(const Corpus& corpus, const Tokenizer& tokenizer, std::int64_t max_positions,
                                   std::size_t limit = 16);
// Writes the texts: what the model makes of the prompts. The same model, prompts and seed give the same.
// Throws Interrupted between two of them.
void continue_prompts(std::vector<Sample>& samples, Decoder& model, const Tokenizer& tokenizer, std::uint64_t seed);

// The first `characters` whole UTF-8 characters of `text`, cut back to the last space when that is in the second half;
// leading white space is skipped. "" when the text is shorter.
std::string prompt_of(const std::string& text, std::size_t characters);

}  // namespace witan::cli
