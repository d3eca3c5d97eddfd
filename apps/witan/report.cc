// `witan report`: the page of a run folder.
#include "report/report.h"

#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>

#include "witan/commands.h"

namespace witan::cli {

void add_report(CLI::App& app) {
  struct Options {
    std::string run_folder;
    std::string output;
  };
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("report", "Write the report of a training run as one HTML page");
  command->add_option("run_folder", options->run_folder, "What `witan train --output` wrote")
      ->required()
      ->type_name("RUN_FOLDER");
  command->add_option("--output", options->output, "The page to write (RUN_FOLDER/report.html)")->type_name("FILE");
  command->callback([options] {
    const std::filesystem::path run_folder = options->run_folder;
    const std::filesystem::path output =
        options->output.empty() ? run_folder / "report.html" : std::filesystem::path(options->output);
    write_report(run_folder, output);
    fmt::print("{}\n", output.string());
    std::fflush(stdout);
  });
}

}  // namespace witan::cli
