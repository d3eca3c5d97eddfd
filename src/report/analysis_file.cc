// Checks of analysis.json, field by field, in the order the page shows them.
#include "report/analysis_file.h"

#include <fmt/core.h>

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/file.h"
#include "report/json_field.h"

namespace witan {
namespace {

using nlohmann::json;

json rounded_list(const std::vector<double>& values) {
  json list = json::array();
  for (const double value : values) list.push_back(rounded(value));
  return list;
}

// A list of lists, or empty when absent.
const json& read_lists(const json& record, const char* key, std::size_t expected, std::string_view where) {
  static const json none = json::array();
  const auto found = record.find(key);
  if (found == record.end() || found->is_null()) return none;
  if (!found->is_array()) fail("{}: \"{}\" is a JSON {}, expected a list", where, key, found->type_name());
  if (found->size() != expected) fail("{}: \"{}\" has {} entries, expected {}", where, key, found->size(), expected);
  return *found;
}

json read_top_tokens(const json& record, std::size_t experts, std::string_view where) {
  json result = json::array();
  for (const json& of_expert : read_lists(record, "top_tokens", experts, where)) {
    const json wrapped = {{"top_tokens", of_expert}};
    json tokens = json::array();
    for (const json& token : read_objects(wrapped, "top_tokens", where)) {
      tokens.push_back({{"token", read_text(token, "token", where)},
                        {"count", rounded(read_number(token, "count", where))},
                        {"lift", rounded(read_number(token, "lift", where))}});
    }
    result.push_back(std::move(tokens));
  }
  return result;
}

json read_load_by_domain(const json& record, std::size_t domains, std::size_t experts, std::string_view where) {
  json result = json::array();
  for (const json& shares : read_lists(record, "load_by_domain", domains, where)) {
    const json wrapped = {{"load_by_domain", shares}};
    const std::vector<double> values = read_amounts(wrapped, "load_by_domain", where);
    if (values.size() != experts) {
      fail("{}: \"load_by_domain\" has a row of {} shares, expected one per expert: {}", where, values.size(), experts);
    }
    result.push_back(rounded_list(values));
  }
  return result;
}

json read_layer(const json& record, std::size_t domains, const std::string& file) {
  const std::int64_t layer = read_integer(record, "layer", 0, file);
  const std::string where = fmt::format("{}: layer {}", file, layer);
  const auto experts = static_cast<std::size_t>(read_integer(record, "experts", 1, where));
  const std::vector<double> load = read_amounts(record, "load", where);
  if (!load.empty() && load.size() != experts) {
    fail("{}: \"load\" has {} entries, expected one per expert: {}", where, load.size(), experts);
  }
  return {{"layer", layer},
          {"experts", experts},
          {"load", rounded_list(load)},
          {"load_by_domain", read_load_by_domain(record, domains, experts, where)},
          {"entropy", rounded(read_number(record, "entropy", where))},
          {"top_tokens", read_top_tokens(record, experts, where)}};
}

}  // namespace

json read_analysis(const std::filesystem::path& path) {
  const std::string file = path.string();
  const json record = parse_object(read_text_file(path), file);
  const std::vector<std::string> domains = read_names(record, "domains", file);
  json result = {
      {"domains", domains}, {"layers", json::array()}, {"samples", json::array()}, {"compressors", json::object()}};
  for (const json& layer : read_objects(record, "layers", file)) {
    result["layers"].push_back(read_layer(layer, domains.size(), file));
  }
  for (const json& sample : read_objects(record, "samples", file)) {
    result["samples"].push_back(
        {{"prompt", read_text(sample, "prompt", file)}, {"text", read_text(sample, "text", file)}});
  }
  for (const auto& [name, bits] : read_numbers(record, "compressors", file))
    result["compressors"][name] = rounded(bits);
  return result;
}

}  // namespace witan
