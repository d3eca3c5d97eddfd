// A small text in memory, as tokens and domains, that a tiny model can learn: no files, no tokenizer training.
#pragma once

#include "training/dataset.h"

namespace witan::test {

// Two domains of bytes: "count" (digits in order) and "echo" (each letter twice), from a seed; the held-out part is a
// sixth of the length.
TokenizedCorpus small_corpus(std::int64_t tokens, std::uint64_t seed = 1);

}  // namespace witan::test
