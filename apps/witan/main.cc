// The program `witan`: a name, a version and a table of commands.
#include <CLI/CLI.hpp>
#include <csignal>
#include <vector>

#include "witan/command_line.h"
#include "witan/commands.h"
#include "witan/thread_waiting.h"

int main(int argc, char** argv) {
  // A limit on file sizes is then an error of the write, with a message, and not the end of the process.
  static_cast<void>(std::signal(SIGXFSZ, SIG_IGN));
  witan::cli::limit_spinning(argv);
  CLI::App app{"Witan: train, run and look into mixtures of experts on CPUs.", "witan"};
  app.set_version_flag("--version", "witan " WITAN_VERSION);
  app.require_subcommand(1);
  const std::vector<void (*)(CLI::App&)> commands = {
      witan::cli::add_train,   witan::cli::add_generate, witan::cli::add_eval,    witan::cli::add_diff,
      witan::cli::add_convert, witan::cli::add_report,   witan::cli::add_compare, witan::cli::add_fit,
      witan::cli::add_predict, witan::cli::add_upcycle,  witan::cli::add_extract, witan::cli::add_join,
      witan::cli::add_inspect};
  for (const auto add_command : commands) add_command(app);
  return witan::cli::run(app, {argv + 1, argv + argc});
}
