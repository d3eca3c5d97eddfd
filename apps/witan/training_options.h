// The options that `witan train` and `witan compare` share: a preset, the seed, and each field of the settings.
#pragma once

#include <string>

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace witan {
struct TrainSettings;
}

namespace witan::cli {

// --preset. Fills every field of `settings`, which must outlive the parsing; so it stands before bind_training_fields.
CLI::Option* add_preset_option(CLI::App& command, TrainSettings& settings, const std::string& default_name);

void bind_seed(CLI::App& command, TrainSettings& settings, const std::string& help);

// One flag per field, in groups: budget, data, model, optimizer, schedule, logging; see bind_fields.
void bind_training_fields(CLI::App& command, TrainSettings& settings);

}  // namespace witan::cli
