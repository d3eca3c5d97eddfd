// JSON read from outside, with errors a user can act on.
#pragma once

#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

namespace witan {

// Throws Error "where: invalid JSON at byte 17: ..."; a key that stands twice in one object is an error too, since one
// of its values would be lost. `where` is the file, for messages.
nlohmann::json parse_json(std::string_view text, const std::string& where);
nlohmann::json read_json_file(const std::filesystem::path& path);
// The same, and an Error for anything but an object.
nlohmann::json read_json_object(const std::filesystem::path& path);

}  // namespace witan
