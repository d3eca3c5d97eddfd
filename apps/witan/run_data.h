// The text of a run: read, split, and turned into tokens by the tokenizer that the settings name.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "models/decoder.h"
#include "text/tokenizer.h"
#include "training/dataset.h"
#include "training/run_folder.h"
#include "training/settings.h"

namespace witan::cli {

struct RunData {
  Corpus corpus;
  std::shared_ptr<const Tokenizer> tokenizer;
  TokenizedCorpus tokens;
};

std::vector<std::string> absolute_paths(const std::vector<std::string>& paths);

// The corpus that the settings describe.
Corpus read_run_corpus(const TrainSettings& settings);
// Trained on the corpus, or loaded, as the settings say.
std::unique_ptr<Tokenizer> make_run_tokenizer(const TrainSettings& settings, const Corpus& corpus);
// For a new run: makes or loads the tokenizer, and sets settings.model.vocab_size to what it came to.
RunData prepare_data(TrainSettings& settings, const RunFolder& folder);
// For a run that goes on: its tokenizer comes from the checkpoint.
RunData resume_data(const TrainSettings& settings, const RunFolder& folder);

// The trained model as a Hugging Face directory with its tokenizer, whole or not at all.
void save_model_folder(const Decoder& model, const Tokenizer& tokenizer, const std::filesystem::path& folder);

}  // namespace witan::cli
