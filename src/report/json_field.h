// Fields of a JSON record from a file, checked as they are read. `where` opens every message: "RUN/metrics.jsonl:17".
#pragma once

#include <cstdint>
#include <limits>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace witan {

// A number that was null or absent. A diverged run writes null where its loss was not finite.
constexpr double kMissing = std::numeric_limits<double>::quiet_NaN();

// Throws Error with the position of the first wrong byte, and unless the text is one JSON object.
nlohmann::json parse_object(std::string_view text, std::string_view where);

// kMissing when absent or null.
double read_number(const nlohmann::json& object, const char* key, std::string_view where);
// A whole number, at least `minimum`; must be there.
std::int64_t read_integer(const nlohmann::json& object, const char* key, std::int64_t minimum, std::string_view where);
// Must be there.
std::string read_text(const nlohmann::json& object, const char* key, std::string_view where);
// A list of finite numbers of at least zero; empty when absent.
std::vector<double> read_amounts(const nlohmann::json& object, const char* key, std::string_view where);
std::vector<std::string> read_names(const nlohmann::json& object, const char* key, std::string_view where);
// An object of numbers; empty when absent.
std::map<std::string, double> read_numbers(const nlohmann::json& object, const char* key, std::string_view where);
// The list under `key`, whose entries must be objects; an empty list when absent.
const nlohmann::json& read_objects(const nlohmann::json& object, const char* key, std::string_view where);

// `value` to five significant digits, which is finer than any screen and halves the page; null when not finite.
nlohmann::json rounded(double value);

}  // namespace witan
