// Presets and fields as options, in the groups of --help.
#include "witan/training_options.h"

#include <fmt/core.h>

#include <CLI/CLI.hpp>

#include "base/error.h"
#include "base/suggest.h"
#include "training/settings.h"
#include "witan/options.h"

namespace witan::cli {

CLI::Option* add_preset_option(CLI::App& command, TrainSettings& settings, const std::string& default_name) {
  const auto choose = [&settings](const std::string& name) {
    try {
      settings = preset_settings(name);
    } catch (const Error& error) {
      throw CLI::ValidationError("--preset", error.what());
    }
  };
  CLI::Option* preset = command.add_option_function<std::string>(
      "--preset", choose, fmt::format("Defaults that other options override [one of: {}]", comma_list(preset_names())));
  return preset->type_name("NAME")->default_str(default_name);
}

void bind_seed(CLI::App& command, TrainSettings& settings, const std::string& help) {
  Fields fields("training");
  fields.integer("seed", settings.seed, 0, kMostSeed, help);
  bind_fields(command, "Options", fields);
}

void bind_training_fields(CLI::App& command, TrainSettings& settings) {
  bind_fields(command, "Budget (one of them)", settings.budget.fields());
  bind_fields(command, "Data", settings.data.fields());
  bind_fields(command, "Model", settings.model.fields());
  bind_fields(command, "Optimizer", settings.optimizer.fields());
  bind_fields(command, "Schedule", settings.schedule.fields());
  bind_fields(command, "Logging", settings.logging.fields());
}

}  // namespace witan::cli
