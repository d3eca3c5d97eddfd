// From the request to the file.
#include "witan/dump.h"

#include <fmt/core.h>

#include <CLI/CLI.hpp>

#include "base/error.h"
#include "inference/dump_file.h"
#include "inference/tensor_dump.h"
#include "witan/output_file.h"

namespace witan::cli {
namespace {

template <class Config>
std::vector<std::string> names_for(const DumpRequest& request, const Config& config) {
  if (!request.wanted()) return {};
  require_writable(request.file);
  return select_names(dump_names(config), request.patterns);
}

void write(const DumpRequest& request, const TensorDump& tensors) {
  write_dump(request.file, tensors);
  fmt::print(stderr, "witan: {} tensors of a pass over {} tokens in {}\n", tensors.tensors.size(),
             tensors.tokens.size() + tensors.output_tokens.size(), request.file);
}

}  // namespace

bool DumpRequest::wanted() const {
  if (patterns.empty() != file.empty()) fail("generate: --dump and --dump-file belong together, got only one");
  return !file.empty();
}

void add_dump_options(CLI::App& command, DumpRequest& request) {
  constexpr const char* kGroup = "Looking inside";
  command
      .add_option("--dump", request.patterns,
                  "Tensors to write of one pass over what the model reads, as layers.3.moe.router or 'layers.*.output' "
                  "(several: give it again)")
      ->type_name("NAME")
      ->allow_extra_args(false)
      ->group(kGroup);
  command.add_option("--dump-file", request.file, "Where to: safetensors, for `witan diff` and other programs")
      ->type_name("FILE")
      ->group(kGroup);
}

std::vector<std::string> requested_names(const DumpRequest& request, const DecoderConfig& config) {
  return names_for(request, config);
}

std::vector<std::string> requested_names(const DumpRequest& request, const EncoderDecoderConfig& config) {
  return names_for(request, config);
}

void dump(const DumpRequest& request, const std::vector<std::string>& names, Decoder& model,
          std::span<const std::int32_t> ids) {
  if (!names.empty()) write(request, dump_pass(model, ids, names));
}

void dump(const DumpRequest& request, const std::vector<std::string>& names, const EncoderDecoder& model,
          std::span<const std::int32_t> source, std::span<const std::int32_t> output) {
  if (!names.empty()) write(request, dump_pass(model, source, output, names));
}

}  // namespace witan::cli
