// Files of weights by their names, of whatever framework: what a model's folder may hold. Nothing is opened.
#pragma once

#include <filesystem>

namespace witan {

// By the extension; the index of a sharded model too.
bool names_weights(const std::filesystem::path& file);

}  // namespace witan
