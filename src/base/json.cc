// Parsing with nlohmann/json, its messages made short.
#include "base/json.h"

#include <nlohmann/json.hpp>
#include <set>
#include <vector>

#include "base/error.h"
#include "base/file.h"

namespace witan {
namespace {

using Json = nlohmann::json;

// "[json.exception.parse_error.101] parse error at line 1, column 2: syntax error ..." -> "syntax error ..."
std::string reason(const std::string& what) {
  const std::size_t position = what.find(": ");
  return position == std::string::npos ? what : what.substr(position + 2);
}

}  // namespace

Json parse_json(std::string_view text, const std::string& where) {
  std::vector<std::set<std::string>> keys;  // of each object that is open
  const auto refuse_twins = [&](int, Json::parse_event_t event, Json& parsed) {
    if (event == Json::parse_event_t::object_start) keys.emplace_back();
    if (event == Json::parse_event_t::object_end) keys.pop_back();
    if (event == Json::parse_event_t::key && !keys.back().insert(parsed.get<std::string>()).second) {
      fail("{}: invalid JSON: key \"{}\" stands twice in one object", where, parsed.get<std::string>());
    }
    return true;
  };
  try {
    return Json::parse(text.begin(), text.end(), refuse_twins);
  } catch (const Json::parse_error& error) {
    fail("{}: invalid JSON at byte {}: {}", where, error.byte, reason(error.what()));
  } catch (const Json::exception& error) {  // a number out of range
    fail("{}: invalid JSON: {}", where, error.what());
  }
}

Json read_json_file(const std::filesystem::path& path) { return parse_json(read_text_file(path), path.string()); }

Json read_json_object(const std::filesystem::path& path) {
  Json json = read_json_file(path);
  if (!json.is_object()) fail("{}: expected an object, got {}", path.string(), json.type_name());
  return json;
}

}  // namespace witan
