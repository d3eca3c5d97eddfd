// `witan upcycle`: a dense model in, a mixture of experts out.
#include "models/upcycling/upcycle.h"

#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <string>

#include "base/interrupt.h"
#include "witan/commands.h"
#include "witan/model_folder.h"
#include "witan/model_writing.h"
#include "witan/options.h"
#include "witan/training_display.h"

namespace witan::cli {
namespace {

struct UpcycleCommand {
  std::string dense;
  std::string output;
  UpcycleOptions options;
  bool dry_run = false;
};

void print_step_zero(const UpcyclePlan& plan) {
  if (plan.deviations.empty()) {
    fmt::print("at first it computes what the dense model does, up to rounding\n");
    return;
  }
  fmt::print("at first it does not compute exactly what the dense model does:\n");
  for (const std::string& reason : plan.deviations) fmt::print("  {}\n", reason);
}

void upcycle(const UpcycleCommand& command) {
  const DenseModel dense(find_model_folder(command.dense));
  const UpcyclePlan plan = plan_upcycle(dense.config(), command.options);
  const std::int64_t bytes = stored_bytes(upcycled_parameters(dense, plan, command.options));
  fmt::print("dense:   {}, intermediate_size {}\n", model_text(dense.config()), dense.config().intermediate_size);
  fmt::print("mixture: {}; {} of {} layers, experts of width {}, {} on disk\n", model_text(plan.config),
             plan.config.num_moe_layers(), plan.config.num_hidden_layers, plan.config.moe.moe_intermediate_size,
             size_text(static_cast<double>(bytes)));
  print_step_zero(plan);
  if (command.dry_run) return;
  const InterruptScope interrupts;
  write_with_progress(command.output, bytes, [&](const WriteListener& listener) {
    write_upcycled(dense, plan, command.options, command.output, listener);
  });
}

}  // namespace

void add_upcycle(CLI::App& app) {
  CLI::App* command = app.add_subcommand("upcycle", "Make a mixture of experts of a dense model");
  const auto arguments = std::make_shared<UpcycleCommand>();
  command->footer("Train it on with: witan train --from FOLDER DATA --output RUN");
  command->add_option("DENSE", arguments->dense, "A dense model's folder, or a run of `witan train` with one")
      ->required();
  CLI::Option* output = command->add_option("--output", arguments->output, "The new model's folder");
  output->type_name("FOLDER");
  command->add_flag("--dry-run", arguments->dry_run, "Say what would be written, and stop");
  bind_fields(*command, "Mixture", arguments->options.fields());
  command->callback([arguments, output] {
    if (!arguments->dry_run && output->count() == 0) throw CLI::RequiredError("--output");
    upcycle(*arguments);
  });
}

}  // namespace witan::cli
