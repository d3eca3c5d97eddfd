// The files that a folder's tokenizer may be in, for those that list or compare them. What they hold is read by
// tokenizer.h.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace witan {

// The most telling first.
std::vector<std::string> tokenizer_file_names();
// Whether one of them stands in the folder.
bool has_tokenizer(const std::filesystem::path& folder);

}  // namespace witan
