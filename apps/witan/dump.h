// `--dump` of `witan generate`: the tensors of a pass over what the model reads, into a file.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace witan {
class Decoder;
class EncoderDecoder;
struct DecoderConfig;
struct EncoderDecoderConfig;
}  // namespace witan

namespace witan::cli {

struct DumpRequest {
  std::vector<std::string> patterns;
  std::string file;

  // Throws Error when one of the two was given without the other.
  bool wanted() const;
};

// Adds --dump and --dump-file.
void add_dump_options(CLI::App& command, DumpRequest& request);
// The names that the request asks for; empty when it asks for nothing. Throws Error for unknown ones, before any weight
// is read.
std::vector<std::string> requested_names(const DumpRequest& request, const DecoderConfig& config);
std::vector<std::string> requested_names(const DumpRequest& request, const EncoderDecoderConfig& config);
// Runs the pass and writes the file; nothing when no names are asked for.
void dump(const DumpRequest& request, const std::vector<std::string>& names, Decoder& model,
          std::span<const std::int32_t> ids);
void dump(const DumpRequest& request, const std::vector<std::string>& names, const EncoderDecoder& model,
          std::span<const std::int32_t> source, std::span<const std::int32_t> output);

}  // namespace witan::cli
