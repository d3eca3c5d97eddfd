// `witan generate` for encoder-decoders: what they make of a source, line by line.
#pragma once

#include <cstdint>
#include <filesystem>
#include <set>
#include <string>
#include <vector>

#include "base/config.h"
#include "inference/sampler.h"
#include "inference/translator.h"
#include "witan/dump.h"

namespace witan::cli {

struct TranslateCommand {
  std::filesystem::path folder;  // that holds an encoder-decoder
  std::string source;            // "-": standard input
  bool has_source = false;
  std::string source_file;  // empty: none
  std::string source_language;
  std::string target_language;
  TranslationOptions options;
  SamplingOptions sampling;
  std::set<std::string> chosen;  // fields that stood on the command line
  bool dry_run = false;
  DumpRequest dump;  // of the first line, and what its output begins with

  // The fields of options.beams.
  Fields fields();
};

// Every line of the source by itself, in order, to standard output; of empty lines nothing but the line. With dry_run
// only what it takes. Throws Error for what does not fit the model; Interrupted after what was said until then.
void run_translation(TranslateCommand& command);

// The lines of `text`, which end with "\n" or "\r\n"; an end at the very end begins no further one.
std::vector<std::string> lines_of(const std::string& text);

}  // namespace witan::cli
