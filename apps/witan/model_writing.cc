// Lines for people around the writing of a model.
#include "witan/model_writing.h"

#include <fmt/core.h>

#include "base/interrupt.h"
#include "base/progress.h"
#include "models/parameter_counts.h"
#include "witan/training_display.h"

namespace witan::cli {

std::string model_text(const DecoderConfig& config) {
  return fmt::format("{}, {}", config.model_type, counts_text(count_parameters(config)));
}

void write_with_progress(const std::string& output, std::int64_t bytes,
                         const std::function<void(const WriteListener&)>& write) {
  std::fflush(stdout);  // what was said so far stands above the progress
  const ByteUnit unit = byte_unit(bytes);
  Progress progress("write", bytes, stderr_progress(), unit.name, unit.bytes);
  write([&](std::int64_t written) {
    progress.update(written);
    throw_if_interrupted();
  });
  progress.finish();
  fmt::print("model:   {}\n", output);
}

}  // namespace witan::cli
