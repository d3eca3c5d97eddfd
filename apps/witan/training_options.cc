#include "witan/training_options.h"

#include <CLI/CLI.hpp>

#include "base/error.h"
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
  CLI::Option* preset =
      command.add_option_function<std::string>("--preset", choose, "defaults that other options override");
  return preset->default_str(default_name)->check(CLI::IsMember(preset_names()));
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
