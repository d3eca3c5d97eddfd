// Parsing with nlohmann/json, its messages made short.
#include "base/json.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>
#include <vector>

#include "base/error.h"
#include "base/file.h"

namespace witan {
namespace {

using Json = nlohmann::json;

// "[json.exception.parse_error.101] parse error at line 1, column 2: syntax error ..." -> "syntax error ..."
// What was read last is left out where it is long: a whole text, say.
std::string reason(const std::string& what) {
  constexpr std::size_t kLong = 200;
  const std::size_t position = what.find(": ");
  std::string text = position == std::string::npos ? what : what.substr(position + 2);
  if (text.size() > kLong) text.resize(std::min(text.find("; last read: "), text.size()));
  return text;
}

// Makes the value as the library does, and refuses a key that stands twice in one object. The library's parser with a
// callback could do that too, but looks at all members of an object whenever one of them ends: minutes for the header
// of a file with many tensors.
class Builder : public nlohmann::detail::json_sax_dom_parser<Json> {
 public:
  Builder(Json& value, const std::string& where) : json_sax_dom_parser(value, true), where_(where) {}

  bool start_object(std::size_t size) {
    keys_.emplace_back();
    return json_sax_dom_parser::start_object(size);
  }
  bool key(std::string& name) {
    if (!keys_.back().insert(name).second) {
      fail("{}: invalid JSON: key \"{}\" stands twice in one object", where_, name);
    }
    return json_sax_dom_parser::key(name);
  }
  bool end_object() {
    keys_.pop_back();
    return json_sax_dom_parser::end_object();
  }

 private:
  const std::string& where_;
  std::vector<std::set<std::string>> keys_;  // of each object that is open
};

}  // namespace

Json parse_json(std::string_view text, const std::string& where) {
  Json value;
  Builder builder(value, where);
  try {
    Json::sax_parse(text.begin(), text.end(), &builder);
    return value;
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
