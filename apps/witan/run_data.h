// The text of a run: read, split, and turned into tokens by the tokenizer that the settings name.
#pragma once

#include <filesystem>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "models/decoder.h"
#include "text/tokenizer.h"
#include "training/analysis.h"
#include "training/checkpoint.h"
#include "training/dataset.h"
#include "training/run_folder.h"
#include "training/settings.h"

namespace witan::cli {

// The text itself is gone by now: a run needs its tokens, and this.
struct RunData {
  std::vector<std::string> domains;
  std::int64_t train_bytes = 0;
  std::int64_t heldout_bytes = 0;
  std::string content_key;
  std::string heldout_text;        // of all domains, for the run folder
  std::vector<Sample> prompts;     // without continuations
  std::vector<std::string> notes;  // what was made smaller for a short text, in words
  std::shared_ptr<const Tokenizer> tokenizer;
  TokenizedCorpus tokens;
};

std::vector<std::string> absolute_paths(const std::vector<std::string>& paths);

// The corpus that the settings describe.
Corpus read_run_corpus(const TrainSettings& settings);
// The tokenizer that the settings name, or nullptr when it is to be trained. `chosen` are fields of the command line.
// Throws Error for one that is not there, or that has another than a chosen vocabulary size.
std::unique_ptr<Tokenizer> given_tokenizer(const TrainSettings& settings, const std::set<std::string>& chosen);
// Trained on the corpus.
std::unique_ptr<Tokenizer> train_run_tokenizer(const TrainSettings& settings, const std::set<std::string>& chosen,
                                               const Corpus& corpus);
// For a new run: makes or loads the tokenizer, and sets settings.model.vocab_size to what it came to. A vocabulary and
// a sequence length that are not among the `chosen` fields shrink to what a short text supports.
RunData prepare_data(TrainSettings& settings, const std::set<std::string>& chosen, const RunFolder& folder);
// For a run that goes on: its tokenizer comes from the checkpoint. Throws Error, before it is cut into tokens, when the
// text is another than that of the saved state.
RunData resume_data(const TrainingState& saved, const TrainSettings& settings, const RunFolder& folder);

// The trained model as a Hugging Face directory with its tokenizer, whole or not at all.
void save_model_folder(const Decoder& model, const Tokenizer& tokenizer, const std::filesystem::path& folder);

}  // namespace witan::cli
