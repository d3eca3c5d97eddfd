// generation_config.json: how a released model wants its tokens drawn. The tokens that end a text are read with the
// model.
#pragma once

#include <filesystem>
#include <set>
#include <string>

#include "inference/sampler.h"
#include "inference/translator.h"

namespace witan {

// Puts what the folder's file asks for into `sampling`, but for the fields named in `chosen`. "do_sample": false is a
// temperature of 0; nothing changes without a file. Throws Error naming file and key for what is out of bounds.
void read_generation_defaults(const std::filesystem::path& folder, const std::set<std::string>& chosen,
                              SamplingOptions& sampling);

// The same for an encoder-decoder, whose outputs are the most probable ones unless the file says "do_sample": true or
// the user chose a temperature; top_k, top_p or min_p alone draw with a temperature of 1. Of `options` are read, unless
// named in `chosen`: "num_beams" (as "beams"; only when nothing is drawn), "length_penalty", "early_stopping",
// "max_new_tokens" or "max_length" (which counts the start token; as "max_tokens"), and "forced_bos_token_id". Without
// the file these stand in config.json, as transformers takes them from there.
void read_translation_defaults(const std::filesystem::path& folder, const std::set<std::string>& chosen,
                               SamplingOptions& sampling, TranslationOptions& options);

}  // namespace witan
