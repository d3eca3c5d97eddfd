// A new command is one line in the list below.
#include "witan/program.h"

#include <CLI/CLI.hpp>

#include "witan/command_line.h"
#include "witan/commands.h"

namespace witan::cli {

int run_program(const std::vector<std::string>& arguments) {
  CLI::App app{"Witan: train, run and look into mixtures of experts on CPUs.", "witan"};
  app.set_version_flag("--version", "witan " WITAN_VERSION);
  app.require_subcommand(1);
  for (const auto add_command : {add_train, add_generate, add_eval, add_diff, add_convert, add_report, add_compare,
                                 add_fit, add_predict, add_upcycle, add_extract, add_join, add_inspect}) {
    add_command(app);
  }
  return run(app, arguments);
}

}  // namespace witan::cli
