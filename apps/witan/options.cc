// Command-line flags from declared config fields.
#include "witan/options.h"

#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>
#include <string_view>

#include "base/error.h"
#include "base/suggest.h"
#include "training/settings.h"

namespace witan::cli {
namespace {

std::string type_name(const Field& field) {
  if (std::holds_alternative<std::int64_t*>(field.target)) return "INT";
  if (std::holds_alternative<double*>(field.target)) return "NUMBER";
  return field.choices.empty() ? "TEXT" : "NAME";
}

std::string description(const Field& field) {
  const std::string range = field.range_text();
  return range.empty() ? field.help : fmt::format("{} [{}]", field.help, range);
}

void set(const Field& field, const std::string& text) {
  try {
    field.set(text);
  } catch (const Error& error) {
    // The flag says which field it is.
    const std::string place = fmt::format("{}.{}: ", field.scope, field.name);
    std::string_view message = error.what();
    if (message.starts_with(place)) message.remove_prefix(place.size());
    throw CLI::ValidationError(field.flag(), std::string(message));
  }
}

// Without "{false}" behind the negative name of a flag, CLI11's note on what it sets.
class HelpFormatter : public CLI::Formatter {
 public:
  std::string make_option_name(const CLI::Option* option, bool is_positional) const override {
    constexpr std::string_view kNote = "{false}";
    std::string name = CLI::Formatter::make_option_name(option, is_positional);
    if (const std::size_t note = name.find(kNote); note != std::string::npos) name.erase(note, kNote.size());
    return name;
  }
};

void add_flag(CLI::App& command, const std::string& group, const Field& field) {
  const std::string negative = "!--no-" + field.flag().substr(2);
  command
      .add_flag_function(
          field.flag() + "," + negative, [field](std::int64_t count) { set(field, count > 0 ? "true" : "false"); },
          fmt::format("{} [default: {}]", field.help, field.default_text == "true" ? "on" : "off"))
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeLast)
      ->group(group);
}

void add_option(CLI::App& command, const std::string& group, const Field& field) {
  command
      .add_option_function<std::string>(
          field.flag(), [field](const std::string& text) { set(field, text); }, description(field))
      ->type_name(type_name(field))
      ->default_str(field.default_text)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeLast)
      ->group(group);
}

}  // namespace

void bind_fields(CLI::App& command, const std::string& group, const Fields& fields) {
  command.formatter(std::make_shared<HelpFormatter>());
  for (const Field& field : fields.all()) {
    if (std::holds_alternative<bool*>(field.target)) {
      add_flag(command, group, field);
    } else {
      add_option(command, group, field);
    }
  }
}

std::set<std::string> chosen_fields(const CLI::App& command, const Fields& fields) {
  std::set<std::string> names;
  for (const Field& field : fields.all()) {
    if (command.count(field.flag()) > 0) names.insert(field.name);
  }
  return names;
}

std::vector<std::string> normalized_arguments(std::vector<std::string> arguments) {
  for (std::string& argument : arguments) {
    if (argument == "--") break;
    if (!argument.starts_with("--")) continue;
    const auto end = argument.begin() + static_cast<std::ptrdiff_t>(std::min(argument.find('='), argument.size()));
    std::replace(argument.begin(), end, '_', '-');
  }
  return arguments;
}

std::string unknown_arguments_message(const CLI::App& command, const std::vector<std::string>& unknown) {
  std::vector<std::string> known;
  for (const CLI::Option* option : command.get_options()) {
    for (const std::string& name : option->get_lnames()) known.push_back("--" + name);
  }
  for (const std::string& argument : unknown) {
    if (!argument.starts_with("-")) continue;
    const std::string name = argument.substr(0, argument.find('='));
    return fmt::format("unknown option '{}'{}", name, suggestion(name, known));
  }
  if (!unknown.empty()) return fmt::format("unexpected argument '{}'", unknown.front());
  return "unexpected arguments";
}

void bind_threads(CLI::App& command, std::int64_t& threads) {
  Fields fields(command.get_name());
  fields.integer("threads", threads, 0, kMostThreads, "Threads to compute with; 0: OMP_NUM_THREADS or all cores");
  bind_fields(command, "Options", fields);
}

void keep_one_budget(const CLI::App& command, BudgetOptions& budget) {
  const bool steps = command.count("--steps") > 0;
  const bool tokens = command.count("--tokens") > 0;
  const bool minutes = command.count("--minutes") > 0;
  if (!steps && !tokens && !minutes) return;
  if (!steps) budget.steps = 0;
  if (!tokens) budget.tokens = 0;
  if (!minutes) budget.minutes = 0.0;
}

}  // namespace witan::cli
