// JSON with the settings of a run: the parser, and the fields that take its values.
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/json.h"
#include "fuzz/require.h"
#include "fuzz/target.h"
#include "training/settings.h"

namespace witan::fuzz {
namespace json_fuzz {

std::vector<std::string> seeds() {
  return {settings_to_json(preset_settings("tiny")).dump(1), R"([1e400, -0, "\ud83d\ude00", {"a": null}])"};
}

void run(std::string_view input) {
  try {
    const nlohmann::json json = parse_json(input, "input");
    const TrainSettings settings = settings_from_json(json);
    const nlohmann::json again = settings_to_json(settings);
    require(settings_to_json(settings_from_json(again)) == again, "settings that do not come back");
    settings.validate();
  } catch (const Error&) {
  }
}

}  // namespace json_fuzz

Target json_target() { return {"json", json_fuzz::seeds, json_fuzz::run}; }

}  // namespace witan::fuzz
