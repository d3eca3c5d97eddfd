// Reading text as training does, none of it kept for training.
#include "witan/evaluation_text.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/json.h"
#include "training/evaluation.h"
#include "witan/training_display.h"

namespace witan::cli {

namespace fs = std::filesystem;

TrainSettings run_settings(const fs::path& run) {
  const fs::path file = run / "settings.json";
  if (!fs::exists(file)) fail("{}: not a folder of `witan train`: settings.json is missing", run.string());
  return settings_from_json(read_json_object(file));
}

Corpus read_evaluation_text(const std::vector<std::string>& paths, bool lossy) {
  DataOptions options;
  options.paths.assign(paths.begin(), paths.end());
  options.lossy = lossy;
  options.heldout_share = 0.0;
  options.progress = stderr_progress();
  Corpus corpus = read_corpus(options);
  std::swap(corpus.train, corpus.heldout);
  std::swap(corpus.train_bytes, corpus.heldout_bytes);
  return corpus;
}

std::int64_t evaluation_length(const std::string& command, const fs::path& folder, std::int64_t wanted,
                               const DecoderConfig& model) {
  constexpr std::int64_t kUsual = 256;
  if (wanted == 0) {
    const std::int64_t length =
        fs::exists(folder / "settings.json") ? run_settings(folder).data.sequence_length : kUsual;
    return std::min(length, model.max_position_embeddings);
  }
  if (wanted > model.max_position_embeddings) {
    fail("{}: sequence_length={} exceeds the model's max_position_embeddings={}", command, wanted,
         model.max_position_embeddings);
  }
  return wanted;
}

std::int64_t evaluation_batch_size(const fs::path& folder, std::int64_t wanted) {
  if (wanted > 0) return wanted;
  return fs::exists(folder / "settings.json") ? run_settings(folder).data.batch_size : EvaluationOptions().batch_size;
}

}  // namespace witan::cli
