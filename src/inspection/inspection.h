// What `witan inspect` finds out about a model: its inventory, its experts' weights, and what its experts do with a
// text.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "inspection/expert_outputs.h"
#include "inspection/inventory.h"
#include "inspection/super_experts.h"
#include "inspection/weight_statistics.h"
#include "text/tokenizer.h"
#include "training/analysis.h"
#include "training/evaluation.h"

namespace witan {

struct TextInspection {
  std::vector<std::string> domains;
  Evaluation evaluation;
  std::vector<LayerAnalysis> layers;  // with a mixture
  std::vector<LayerOutputs> outputs;  // of those whose experts have rows of their own
  SuperExperts super_experts;
};

struct Inspection {
  Inventory inventory;
  std::vector<WeightStatistics> weights;  // empty: not asked for, or none to look at
  std::optional<TextInspection> text;
};

// Runs the text's `heldout` tokens through the model, as evaluate() does with these options; of the rows about
// `sample_rows` are asked of all experts. Throws Error when the tokenizer has more tokens than the model.
TextInspection inspect_text(Decoder& model, const Tokenizer& tokenizer, const TokenizedCorpus& tokens,
                            const EvaluationOptions& options, std::int64_t sample_rows);

}  // namespace witan
