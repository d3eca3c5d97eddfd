// `witan diff A B`: where two checkpoints, or two implementations' dumps, first part. Exit codes as diff(1) has them: 0
// equal within the tolerance, 1 different, 2 trouble.
#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/file.h"
#include "base/parallel.h"
#include "formats/safetensors.h"
#include "inference/dump_file.h"
#include "inference/tensor_comparison.h"
#include "models/checkpoint_folder.h"
#include "models/encoder_decoder_folder.h"
#include "models/released_files.h"
#include "text/tokenizer.h"
#include "witan/command_line.h"
#include "witan/commands.h"
#include "witan/model_folder.h"
#include "witan/options.h"
#include "witan/output_file.h"

namespace witan::cli {
namespace {

namespace fs = std::filesystem;

constexpr int kDifferent = 1;
constexpr int kTrouble = 2;
constexpr double kDefaultTolerance = 2e-4;
constexpr std::int64_t kSampleTokens = 32;

struct DiffCommand {
  std::string a, b;
  std::string prompt;
  bool has_prompt = false;
  std::string tokens;
  bool weights = false;
  double tolerance = kDefaultTolerance;
  std::string json;
  std::int64_t threads = 0;
};

// What a pass reads. `output`: in the decoder of an encoder-decoder.
struct SharedInput {
  std::vector<std::int32_t> tokens;
  std::vector<std::int32_t> output;
};

bool is_folder(const std::string& path) { return fs::is_directory(path); }

struct ModelLimits {
  std::int64_t vocab_size;
  std::int64_t positions;
};

ModelLimits limits_of(const fs::path& folder) {
  if (holds_encoder_decoder(folder)) return {load_encoder_decoder_config(folder).vocab_size, kSampleTokens};
  const DecoderConfig config = load_config(folder);
  return {config.vocab_size, config.max_positions()};
}

// Tokens from all over the vocabularies of the folders, the same at every call.
std::vector<std::int32_t> default_tokens(const std::vector<fs::path>& folders) {
  ModelLimits common{std::int64_t{1} << 30, kSampleTokens};
  for (const fs::path& folder : folders) {
    const ModelLimits limits = limits_of(folder);
    common = {std::min(common.vocab_size, limits.vocab_size), std::min(common.positions, limits.positions)};
  }
  std::vector<std::int32_t> tokens;
  constexpr std::uint64_t kStride = 2654435761;  // of Knuth's multiplicative hashing: neighbours fall far apart
  for (std::int64_t i = 1; i <= common.positions; ++i) {
    const std::uint64_t spread = (static_cast<std::uint64_t>(i) * kStride) & 0xFFFFFFFFU;
    tokens.push_back(static_cast<std::int32_t>((spread * static_cast<std::uint64_t>(common.vocab_size)) >> 32));
  }
  return tokens;
}

// A file's own tokens count before all, since nothing else can be compared with it.
SharedInput choose_input(const DiffCommand& command, const std::vector<fs::path>& folders,
                         const std::vector<const TensorDump*>& files) {
  std::optional<std::vector<std::int32_t>> asked;
  if (!command.tokens.empty() && command.has_prompt) fail("diff: --prompt and --tokens are both given, expected one");
  if (!command.tokens.empty()) asked = parse_token_ids("diff: --tokens", command.tokens);
  if (command.has_prompt) {
    if (folders.empty()) fail("diff: --prompt is for a model folder; both sides are files");
    asked = load_tokenizer(folders.front())->encode_with_special(command.prompt);
  }
  for (const TensorDump* const file : files) {
    if (file->tokens.empty()) continue;
    if (asked && *asked != file->tokens) {
      fail("diff: the dump is of {} other tokens than those asked for; leave out --prompt and --tokens",
           file->tokens.size());
    }
    return {file->tokens, file->output_tokens};
  }
  if (asked) return {*asked, {}};
  if (folders.empty()) return {};
  if (!files.empty()) fail("diff: the file does not say which tokens it is of: give --tokens or --prompt");
  return {default_tokens(folders), {}};
}

TensorDump run_folder(const fs::path& folder, const SharedInput& input) {
  if (holds_encoder_decoder(folder)) {
    const std::unique_ptr<EncoderDecoder> model = load_encoder_decoder(folder);
    std::vector<std::int32_t> output = input.output;
    if (output.empty()) {  // shown the source, so that every row differs
      output = {static_cast<std::int32_t>(model->config().decoder_start_token_id)};
      output.insert(output.end(), input.tokens.begin(), input.tokens.end());
    }
    return dump_pass(*model, input.tokens, output, dump_names(model->config()));
  }
  const std::unique_ptr<Decoder> model = load_model(folder);
  return dump_pass(*model, input.tokens, dump_names(model->config()));
}

void check_same_tokens(const TensorDump& a, const TensorDump& b) {
  if (!a.tokens.empty() && !b.tokens.empty() && (a.tokens != b.tokens || a.output_tokens != b.output_tokens)) {
    fail("diff: the two sides are of other tokens: {} and {} of them", a.tokens.size(), b.tokens.size());
  }
}

TensorComparison compare_passes(const DiffCommand& command) {
  std::vector<fs::path> folders;
  std::optional<TensorDump> a, b;
  std::vector<const TensorDump*> files;
  for (const auto& [path, dump] : {std::pair{&command.a, &a}, std::pair{&command.b, &b}}) {
    if (is_folder(*path)) {
      folders.push_back(find_model_folder(*path));
    } else {
      *dump = read_dump(*path);
      files.push_back(&**dump);
    }
  }
  if (folders.size() == 2 && holds_encoder_decoder(folders[0]) != holds_encoder_decoder(folders[1])) {
    fail("diff: {} is {} encoder-decoder and {} is {}: their passes have no tensors in common", folders[0].string(),
         holds_encoder_decoder(folders[0]) ? "an" : "no", folders[1].string(),
         holds_encoder_decoder(folders[1]) ? "one" : "none");
  }
  const SharedInput input = choose_input(command, folders, files);
  std::size_t next = 0;  // one model after the other: two may not fit into memory
  if (!a) a = run_folder(folders[next++], input);
  if (!b) b = run_folder(folders[next], input);
  check_same_tokens(*a, *b);
  return compare_dumps(*a, *b, command.tolerance);
}

std::string place_text(const TensorDifference& tensor) {
  if (!tensor.other_shape.empty()) return fmt::format("shape {} and {}", shape_text(tensor.shape), tensor.other_shape);
  if (tensor.choices) {
    if (tensor.rows_chosen_otherwise == 0) return "the same choices";
    return fmt::format("{} of {} tokens choose otherwise, the first is {}", tensor.rows_chosen_otherwise,
                       tensor.shape[0], tensor.first_row);
  }
  if (tensor.index < 0) return tensor.beyond ? "other bytes" : "";
  return fmt::format("at {}: {:.9g} and {:.9g}", index_text(tensor.shape, tensor.index), tensor.a, tensor.b);
}

void print_comparison(const DiffCommand& command, const TensorComparison& comparison) {
  std::size_t width = 6;
  for (const TensorDifference& tensor : comparison.tensors) width = std::max(width, tensor.name.size());
  fmt::print("  {:<{}}  {:>10}  {:>10}\n", "tensor", width, "absolute", "relative");
  for (const TensorDifference& tensor : comparison.tensors) {
    const bool numbers = tensor.other_shape.empty() && !tensor.choices;
    fmt::print("{} {:<{}}  {:>10}  {:>10}  {}\n", tensor.beyond ? '*' : ' ', tensor.name, width,
               numbers ? fmt::format("{:.3g}", tensor.absolute) : "",
               numbers ? fmt::format("{:.3g}", tensor.relative) : "", place_text(tensor));
  }
  for (const auto& [side, names] :
       {std::pair{&command.a, &comparison.only_a}, std::pair{&command.b, &comparison.only_b}}) {
    if (!names->empty()) fmt::print("only in {}: {}\n", *side, some_of(*names));
  }
}

// JSON has no infinity: null stands for a difference to what is no number.
nlohmann::ordered_json number(double value) {
  return std::isfinite(value) ? nlohmann::ordered_json(value) : nlohmann::ordered_json();
}

nlohmann::ordered_json comparison_json(const DiffCommand& command, const TensorComparison& comparison, bool equal) {
  nlohmann::ordered_json json = {
      {"a", command.a}, {"b", command.b}, {"tolerance", command.tolerance}, {"equal", equal}};
  const TensorDifference* const first = comparison.first_beyond();
  json["first_beyond"] = first == nullptr ? nlohmann::ordered_json() : nlohmann::ordered_json(first->name);
  nlohmann::ordered_json& tensors = json["tensors"] = nlohmann::ordered_json::array();
  for (const TensorDifference& tensor : comparison.tensors) {
    nlohmann::ordered_json entry = {{"name", tensor.name}, {"shape", tensor.shape}, {"beyond", tensor.beyond}};
    if (!tensor.other_shape.empty()) {
      entry["other_shape"] = tensor.other_shape;
    } else if (tensor.choices) {
      entry["tokens_choosing_otherwise"] = tensor.rows_chosen_otherwise;
      if (tensor.first_row >= 0) entry["first_token"] = tensor.first_row;
    } else {
      entry["absolute"] = number(tensor.absolute);
      entry["relative"] = number(tensor.relative);
      if (tensor.index >= 0) {
        entry["index"] = tensor.index;
        entry["values"] = {number(tensor.a), number(tensor.b)};
      }
    }
    tensors.push_back(std::move(entry));
  }
  json["only_a"] = comparison.only_a;
  json["only_b"] = comparison.only_b;
  return json;
}

// Whether all is equal within the tolerance. A dump may hold a part of the tensors; two models have the same ones.
bool compare(const DiffCommand& command) {
  if (!(command.tolerance >= 0.0)) fail("diff: --tolerance={} is no size", command.tolerance);
  require_writable(command.json);
  if (command.threads > 0) set_num_threads(static_cast<int>(command.threads));
  for (const std::string& path : {command.a, command.b}) {
    if (!fs::exists(path)) fail("{}: no such file or folder", path);
  }
  const bool models = is_folder(command.a) && is_folder(command.b);
  if (command.weights && !models) fail("diff: --weights compares two model folders");
  const TensorComparison comparison =
      command.weights ? compare_weights(find_model_folder(command.a), find_model_folder(command.b), command.tolerance)
                      : compare_passes(command);
  if (comparison.tensors.empty()) {
    fail("diff: no tensor has the same name on both sides: {} has {}, {} has {}", command.a, some_of(comparison.only_a),
         command.b, some_of(comparison.only_b));
  }
  const TensorDifference* const first = comparison.first_beyond();
  const bool complete = !models || (comparison.only_a.empty() && comparison.only_b.empty());
  const bool equal = first == nullptr && complete;
  print_comparison(command, comparison);
  if (first != nullptr) {
    fmt::print("they first part at {}: {}, beyond the tolerance of {}\n", first->name, place_text(*first),
               command.tolerance);
  } else if (!complete) {
    fmt::print("what both have is equal within {}, but each has tensors of its own\n", command.tolerance);
  } else {
    fmt::print("equal within {}\n", command.tolerance);
  }
  if (!command.json.empty()) {
    // The names of the two sides may be no UTF-8.
    const auto replace = nlohmann::ordered_json::error_handler_t::replace;
    write_file(command.json, comparison_json(command, comparison, equal).dump(2, ' ', false, replace) + "\n");
  }
  return equal;
}

}  // namespace

void add_diff(CLI::App& app) {
  CLI::App* command = app.add_subcommand("diff", "Say where two models, or two dumps of a model's tensors, first part");
  const auto options = std::make_shared<DiffCommand>();
  command->add_option("A", options->a, "A model's folder, a dump (.safetensors), or an expected.json")->required();
  command->add_option("B", options->b, "The same")->required();
  CLI::Option* prompt =
      command->add_option("--prompt,-p", options->prompt, "The text that models read")->type_name("TEXT");
  command->add_option("--tokens", options->tokens, "Its ids instead, as 1,2,3; else a file's own, else a sample")
      ->type_name("IDS");
  command->add_flag("--weights", options->weights, "Compare the weights of two folders, and run nothing");
  command->add_option("--tolerance", options->tolerance, "Beyond it are differences above this times 1 + the magnitude")
      ->default_str(fmt::format("{}", kDefaultTolerance));
  command->add_option("--json", options->json, "Write the comparison to this file too")->type_name("FILE");
  bind_threads(*command, options->threads);
  command->callback([options, prompt] {
    options->has_prompt = prompt->count() > 0;
    bool equal = false;
    try {
      equal = compare(*options);
      flush_standard_output();
    } catch (const Error& error) {
      fmt::print(stderr, "witan: error: {}\n", error.what());
      throw CLI::RuntimeError(kTrouble);
    }
    if (!equal) throw CLI::RuntimeError(kDifferent);
  });
}

}  // namespace witan::cli
