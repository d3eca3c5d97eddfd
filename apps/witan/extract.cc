// `witan extract`: a mixture of experts in, a dense model of one of its experts, or of their mean, out.
#include "models/upcycling/extract.h"

#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <set>
#include <string>

#include "base/error.h"
#include "base/interrupt.h"
#include "witan/commands.h"
#include "witan/model_folder.h"
#include "witan/model_writing.h"
#include "witan/options.h"
#include "witan/training_display.h"

namespace witan::cli {
namespace {

struct ExtractCommand {
  std::string model;
  std::string output;
  ExtractOptions options;
};

void extract(const ExtractCommand& command) {
  const StoredWeights mixture(find_model_folder(command.model));
  const ExtractPlan plan = plan_extraction(mixture.config(), command.options);
  const std::int64_t bytes = stored_bytes(extracted_parameters(mixture, plan, command.options));
  fmt::print("mixture: {}\n", model_text(mixture.config()));
  fmt::print("dense:   {}, intermediate_size {}, {} on disk\n", model_text(plan.config), plan.config.intermediate_size,
             size_text(static_cast<double>(bytes)));
  for (const std::string& note : plan.notes) fmt::print("note: {}\n", note);
  const InterruptScope interrupts;
  write_with_progress(command.output, bytes, [&](const WriteListener& listener) {
    write_extracted(mixture, plan, command.options, command.output, listener);
  });
}

}  // namespace

void add_extract(CLI::App& app) {
  CLI::App* command = app.add_subcommand("extract", "Make a dense model of one expert of a mixture, or of their mean");
  const auto arguments = std::make_shared<ExtractCommand>();
  command->add_option("MODEL", arguments->model, "A model's folder, or a run of `witan train`")->required();
  command->add_option("--output", arguments->output, "The new model's folder")->required()->type_name("FOLDER");
  const Fields fields = arguments->options.fields();
  bind_fields(*command, "Experts", fields);
  command->callback([arguments, command, fields] {
    const std::set<std::string> chosen = chosen_fields(*command, fields);
    if (arguments->options.mean && chosen.contains("expert")) {
      fail("extract: --expert and --mean exclude each other");
    }
    extract(*arguments);
  });
}

}  // namespace witan::cli
