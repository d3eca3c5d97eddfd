// Command-line flags from declared config fields, and the nearest names for a flag that does not exist.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "base/config.h"

namespace CLI {
class App;
}

namespace witan {
struct BudgetOptions;
}

namespace witan::cli {

// What DATA may be, wherever text is read: see known_text_extensions.
inline constexpr const char* kTextHelp =
    "Files of text or source code, .jsonl with a \"text\" in each line, all of these also .gz, and folders of them";

// Adds one flag per field to `command`, in the group `group` of its --help; defaults, bounds and choices are printed.
// A flag that is set on the command line is written to the field in the order of these calls, after everything was
// parsed: declare an option that fills many fields (a preset) first, so that single flags win over it. A wrong value
// throws CLI::ValidationError naming the flag. Booleans get --name and --no-name.
void bind_fields(CLI::App& command, const std::string& group, const Fields& fields);

// --threads, from 0 (OMP_NUM_THREADS, or all cores) on.
void bind_threads(CLI::App& command, std::int64_t& threads);

// A preset brings a budget of its own; one that was asked for on the command line takes its place.
void keep_one_budget(const CLI::App& command, BudgetOptions& budget);

// The names of the fields whose flags stood on the command line of `command`.
std::set<std::string> chosen_fields(const CLI::App& command, const Fields& fields);

// "--hidden_size=4" -> "--hidden-size=4": underscores in the names of flags are dashes. Nothing after "--" is touched.
std::vector<std::string> normalized_arguments(std::vector<std::string> arguments);

// What to say about arguments that `command` (the subcommand in use) does not know: " (did you mean ...?)".
std::string unknown_arguments_message(const CLI::App& command, const std::vector<std::string>& unknown);

}  // namespace witan::cli
