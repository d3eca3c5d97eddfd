// generation_config.json: how a released model wants its tokens drawn. The tokens that end a text are read with the
// model.
#pragma once

#include <filesystem>
#include <set>
#include <string>

#include "inference/sampler.h"

namespace witan {

// Puts what the folder's file asks for into `sampling`, but for the fields named in `chosen`. "do_sample": false is a
// temperature of 0; nothing changes without a file. Throws Error naming file and key for what is out of bounds.
void read_generation_defaults(const std::filesystem::path& folder, const std::set<std::string>& chosen,
                              SamplingOptions& sampling);

}  // namespace witan
