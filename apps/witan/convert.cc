// `witan convert`: a model's folder with its weights in another dtype, or cut into other files.
#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <filesystem>
#include <memory>
#include <string>

#include "base/error.h"
#include "base/file.h"
#include "base/parallel.h"
#include "base/suggest.h"
#include "models/convert_folder.h"
#include "witan/commands.h"
#include "witan/model_folder.h"
#include "witan/options.h"
#include "witan/training_display.h"

namespace witan::cli {
namespace {

struct ConvertCommand {
  std::string folder;
  std::string output;
  std::uint64_t shard_size = 5'000'000'000;
  ConvertOptions options;
  std::int64_t threads = 0;
};

void convert(ConvertCommand& command) {
  if (command.threads > 0) set_num_threads(static_cast<int>(command.threads));
  const std::filesystem::path from = find_model_folder(command.folder);
  const std::filesystem::path to = command.output;
  if (std::filesystem::exists(to)) fail("{}: already there, expected the name of a new folder", to.string());
  constexpr std::uint64_t kMost = std::uint64_t{1} << 62;
  command.options.shard_bytes = static_cast<std::int64_t>(std::min(command.shard_size, kMost));
  ConvertedSize size;
  write_folder(to,
               [&](const std::filesystem::path& scratch) { size = convert_folder(from, scratch, command.options); });
  fmt::print("{}: {} tensors, {}", to.string(), size.tensors, size_text(static_cast<double>(size.bytes)));
  if (size.quantized > 0) fmt::print("; {} of the model's are stored as {}", size.quantized, command.options.dtype);
  fmt::print("\n");
}

}  // namespace

void add_convert(CLI::App& app) {
  CLI::App* command = app.add_subcommand("convert", "Store a model's weights in another dtype or in other files");
  const auto options = std::make_shared<ConvertCommand>();
  command->add_option("folder", options->folder, "A model's folder, or what `witan train --output` wrote")
      ->required()
      ->type_name("FOLDER");
  command->add_option("--output,-o", options->output, "The new folder")->required()->type_name("FOLDER");
  command
      ->add_option("--dtype", options->options.dtype,
                   fmt::format("{}: f8_e4m3 as DeepSeek-V3's release (scales of 128 x 128 blocks), mxfp4 as gpt-oss'",
                               comma_list(convert_dtypes())))
      ->default_str(options->options.dtype);
  command
      ->add_option("--shard-size", options->shard_size, "Most data in one file, as 500MB or 5GB; with more, an index")
      ->transform(CLI::AsSizeValue(true))
      ->default_str("5GB");
  bind_threads(*command, options->threads);
  command->callback([options] { convert(*options); });
}

}  // namespace witan::cli
