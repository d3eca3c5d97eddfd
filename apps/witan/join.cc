// `witan join`: several dense fine-tunes of one model in, a mixture with one expert of each out.
#include "models/upcycling/join.h"

#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/file.h"
#include "base/interrupt.h"
#include "models/upcycling/feed_forward_inputs.h"
#include "text/tokenizer.h"
#include "text/tokenizer_files.h"
#include "witan/commands.h"
#include "witan/model_folder.h"
#include "witan/model_writing.h"
#include "witan/options.h"
#include "witan/training_display.h"

namespace witan::cli {
namespace {

namespace fs = std::filesystem;

struct JoinCommand {
  std::vector<std::string> models;
  std::vector<std::string> prompts;  // one file per model
  std::string output;
  JoinOptions options;
};

// One prompt per line that is not empty.
std::vector<std::vector<std::int32_t>> read_prompts(const fs::path& file, const Tokenizer& tokenizer) {
  const std::string text = read_text_file(file);
  std::vector<std::vector<std::int32_t>> prompts;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    const std::string_view line(text.data() + begin, end - begin);
    if (line.find_first_not_of(" \t\r") != std::string_view::npos) {
      prompts.push_back(tokenizer.encode_with_special(line));
    }
    begin = end + 1;
  }
  if (prompts.empty()) fail("{}: no prompts, expected one per line", file.string());
  return prompts;
}

// Experts that read other tokens than the mixture's tokenizer writes would understand nothing.
void check_tokenizers(DenseModels models) {
  for (const std::string& name : tokenizer_file_names()) {
    const auto content = [&](const DenseModel& model) {
      const fs::path file = model.folder() / name;
      return fs::is_regular_file(file) ? read_text_file(file) : std::string();
    };
    const std::string first = content(*models.front());
    for (const std::unique_ptr<DenseModel>& model : models.subspan(1)) {
      if (content(*model) != first) {
        fail("join: {} of {} and of {} differ: experts share one tokenizer", name, models.front()->folder().string(),
             model->folder().string());
      }
    }
  }
}

std::vector<LayerDirections> directions_of(const JoinCommand& command, DenseModels models) {
  const bool hidden = command.options.router == "hidden";
  if (!hidden) {
    if (!command.prompts.empty()) fail("join: --prompts are for --router hidden, not {}", command.options.router);
    return {};
  }
  if (command.prompts.size() != models.size()) {
    fail("join: {} files of prompts for {} models, expected one each (--prompts), or --router random",
         command.prompts.size(), models.size());
  }
  const std::unique_ptr<Tokenizer> tokenizer = load_tokenizer(models.front()->folder());
  std::vector<LayerDirections> directions;
  for (std::size_t i = 0; i < models.size(); ++i) {
    const std::vector<std::vector<std::int32_t>> prompts = read_prompts(command.prompts[i], *tokenizer);
    fmt::print("expert {}: {}, {} prompt{}\n", i, models[i]->folder().string(), prompts.size(),
               prompts.size() == 1 ? "" : "s");
    std::fflush(stdout);
    directions.push_back(mean_feed_forward_inputs(*models[i], prompts));
  }
  return directions;
}

void join(const JoinCommand& command) {
  std::vector<std::unique_ptr<DenseModel>> models;
  for (const std::string& folder : command.models) {
    models.push_back(std::make_unique<DenseModel>(find_model_folder(folder)));
  }
  const UpcyclePlan plan = plan_join(models, command.options);
  check_tokenizers(models);
  if (fs::exists(command.output)) fail("{}: exists; choose another folder", command.output);
  const InterruptScope interrupts;
  const std::vector<LayerDirections> directions = directions_of(command, models);
  const std::int64_t bytes = stored_bytes(joined_parameters(models, plan, command.options));
  fmt::print("mixture: {}, {} on disk\n", model_text(plan.config), size_text(static_cast<double>(bytes)));
  write_with_progress(command.output, bytes, [&](const WriteListener& listener) {
    write_joined(models, plan, command.options, directions, command.output, listener);
  });
}

}  // namespace

void add_join(CLI::App& app) {
  CLI::App* command = app.add_subcommand("join", "Make a mixture of several dense fine-tunes of one model");
  const auto arguments = std::make_shared<JoinCommand>();
  command->add_option("DENSE", arguments->models, "Folders of dense models, the experts in this order")->required();
  command->add_option("--output", arguments->output, "The new model's folder")->required()->type_name("FOLDER");
  command
      ->add_option("--prompts", arguments->prompts,
                   "A text file for each model, a prompt per line, of what its expert is for")
      ->type_name("FILE");
  bind_fields(*command, "Mixture", arguments->options.fields());
  command->callback([arguments] { join(*arguments); });
}

}  // namespace witan::cli
