// What `witan inspect` finds out about a model: its inventory, its experts' weights, and what its experts do with a
// text.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "inspection/inventory.h"
#include "inspection/layer_inspection.h"
#include "inspection/super_experts.h"
#include "inspection/text_pairs.h"
#include "inspection/weight_statistics.h"
#include "text/tokenizer.h"
#include "training/analysis.h"
#include "training/evaluation.h"

namespace witan {

class EncoderDecoder;

struct TextInspection {
  std::vector<std::string> domains;
  std::string reading;  // who is shown what, in words; empty for a decoder, which reads the text
  Evaluation evaluation;
  std::vector<LayerInspection> layers;  // those of an encoder first
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

// The same of an encoder-decoder: one pass of each stack for each pair, in which an expert's capacity counts, the
// decoder being given all of its output at once. `on_part` is called with how many pairs are done, many times for
// each; it may throw to stop.
TextInspection inspect_pairs(const EncoderDecoder& model, const Tokenizer& tokenizer, const PairedText& text,
                             std::int64_t sample_rows, const std::function<void(std::int64_t done)>& on_part = {});

}  // namespace witan
