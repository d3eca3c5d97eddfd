// generation_config.json: how a released model wants its tokens drawn. The tokens that end a text are read with the
// model.
#pragma once

#include <filesystem>
#include <set>
#include <string>

#include "inference/generator.h"
#include "inference/sampler.h"
#include "inference/translator.h"

namespace witan {

// Puts what the folder's file asks for into `sampling`, but for the fields named in `chosen`: temperature, top_k,
// top_p, min_p, repetition_penalty, no_repeat_ngram_size, suppress_tokens, begin_suppress_tokens. "do_sample": false is
// a temperature of 0, unless one of the first four is in `chosen`, which only drawing gives a meaning. Nothing changes
// without a file. Throws Error naming file and key for what is out of bounds.
void read_generation_defaults(const std::filesystem::path& folder, const std::set<std::string>& chosen,
                              SamplingOptions& sampling);
// The same for what ends the output of a decoder: "max_new_tokens", or else "max_length", unless "max_tokens" is in
// `chosen`; and "stop_strings", one or a list.
void read_generation_ends(const std::filesystem::path& folder, const std::set<std::string>& chosen,
                          GenerationOptions& options);

// The same for an encoder-decoder, whose outputs are the most probable ones unless the file says "do_sample": true or
// the user chose a temperature; top_k, top_p or min_p alone draw with a temperature of 1. Of `options` are read, unless
// named in `chosen`: "num_beams" (as "beams"; only when nothing is drawn), "length_penalty", "early_stopping",
// "max_new_tokens" or "max_length" (which counts the start token; as "max_tokens"), and "forced_bos_token_id"; of
// `sampling` always what changes an output that is not drawn: penalties and suppressed tokens. Without
// the file these stand in config.json, as transformers takes them from there.
void read_translation_defaults(const std::filesystem::path& folder, const std::set<std::string>& chosen,
                               SamplingOptions& sampling, TranslationOptions& options);

}  // namespace witan
