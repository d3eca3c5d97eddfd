// Short continuations of held-out text, one per domain, to read what a model has learned.
#pragma once

#include <string>
#include <vector>

#include "models/decoder.h"
#include "text/tokenizer.h"
#include "training/analysis.h"
#include "training/dataset.h"

namespace witan::cli {

// The start of the first held-out document of each domain that is long enough, and what the model makes of it; for
// `limit` domains at the most. The same model, text and seed give the same samples.
std::vector<Sample> write_samples(Decoder& model, const Tokenizer& tokenizer, const Corpus& corpus, std::uint64_t seed,
                                  std::size_t limit = 16);

// The first `characters` whole UTF-8 characters of `text`, cut back to the last space when that is in the second half;
// leading white space is skipped. "" when the text is shorter.
std::string prompt_of(const std::string& text, std::size_t characters);

}  // namespace witan::cli
