// Where the model is that a user means.
#pragma once

#include <filesystem>

namespace witan::cli {

// `folder` itself when it holds a config.json, else folder/model, which `witan train` writes. Throws Error naming both.
std::filesystem::path find_model_folder(const std::filesystem::path& folder);

}  // namespace witan::cli
