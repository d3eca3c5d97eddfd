// One evaluation, watched by both censuses of each stack.
#include "inspection/inspection.h"

#include <algorithm>
#include <map>
#include <utility>

#include "base/error.h"
#include "inspection/pair_evaluation.h"
#include "layers/moe_layer.h"
#include "models/encoder_decoder.h"

namespace witan {
namespace {

struct StackCensus {
  std::string stack;
  RoutingCensus routing;
  OutputCensus outputs;

  // Refers to this object.
  WindowObserver observer() {
    return [routing = routing.observer(), outputs = outputs.observer()](const WindowBatch& batch, std::int64_t layer,
                                                                        const Routing& seen, const Tensor& input) {
      routing(batch, layer, seen, input);
      outputs(batch, layer, seen, input);
    };
  }
};

void require_own_tokenizer(const Tokenizer& tokenizer, std::int64_t vocab_size) {
  if (tokenizer.vocab_size() <= vocab_size) return;
  fail("inspect: the tokenizer has {} tokens, the model {}; they do not belong together", tokenizer.vocab_size(),
       vocab_size);
}

void add_layers(const StackCensus& census, const Tokenizer& tokenizer, TextInspection& result) {
  std::vector<LayerOutputs> outputs = census.outputs.finish();
  for (LayerAnalysis& routing : census.routing.finish(tokenizer)) {
    LayerInspection& layer = result.layers.emplace_back();
    layer.stack = census.stack;
    const auto found = std::ranges::find(outputs, routing.layer, &LayerOutputs::layer);
    if (found != outputs.end()) layer.outputs = std::move(*found);
    layer.routing = std::move(routing);
  }
}

}  // namespace

TextInspection inspect_text(Decoder& model, const Tokenizer& tokenizer, const TokenizedCorpus& tokens,
                            const EvaluationOptions& options, std::int64_t sample_rows) {
  const DecoderConfig& config = model.config();
  require_own_tokenizer(tokenizer, config.vocab_size);
  const auto stream = static_cast<std::int64_t>(tokens.heldout->tokens().size());
  std::int64_t rows = 0;
  for (const Window& window : evaluation_windows(stream, options.sequence_length, options.max_tokens)) {
    rows += window.length;
  }
  const auto domains = static_cast<std::int64_t>(tokens.domains.size());
  StackCensus census{"decoder", RoutingCensus(observed_experts(config.moe), domains, config.vocab_size),
                     OutputCensus(model, rows, sample_rows)};
  TextInspection result;
  result.domains = tokens.domains;
  result.evaluation = evaluate(model, *tokens.heldout, bytes_per_token(tokenizer), domains, options, census.observer());
  add_layers(census, tokenizer, result);
  result.super_experts = super_experts(result.layers);
  return result;
}

TextInspection inspect_pairs(const EncoderDecoder& model, const Tokenizer& tokenizer, const PairedText& text,
                             std::int64_t sample_rows, const std::function<void(std::int64_t done)>& on_part) {
  const EncoderDecoderConfig& config = model.config();
  require_own_tokenizer(tokenizer, config.vocab_size);
  const auto domains = static_cast<std::int64_t>(text.domains.size());
  const auto census_of = [&](bool encoder, std::int64_t rows) {
    std::map<std::int64_t, const EncoderDecoderBlock*> blocks;
    for (const EncoderDecoder::Mixture& mixture : model.mixtures()) {
      if (mixture.encoder == encoder) blocks[mixture.layer] = &mixture.block;
    }
    const char* stack = encoder ? "encoder" : "decoder";
    const auto experts = [blocks](std::int64_t layer, const Tensor& input, const Assignment& assignment) {
      return blocks.at(layer)->expert_outputs(input, assignment);
    };
    return StackCensus{stack, RoutingCensus(config.num_experts, domains, config.vocab_size),
                       OutputCensus(experts, rows, sample_rows)};
  };
  std::int64_t source_rows = 0;
  std::int64_t output_rows = 0;
  for (const TextPair& pair : text.pairs) {
    source_rows += static_cast<std::int64_t>(pair.source.size());
    output_rows += static_cast<std::int64_t>(pair.inputs.size());
  }
  StackCensus encoder = census_of(true, source_rows);
  StackCensus decoder = census_of(false, output_rows);
  TextInspection result;
  result.domains = text.domains;
  result.reading = text.reading;
  result.evaluation = evaluate_pairs(model, text.pairs, bytes_per_token(tokenizer), domains,
                                     {encoder.observer(), decoder.observer()}, on_part);
  add_layers(encoder, tokenizer, result);
  add_layers(decoder, tokenizer, result);
  result.super_experts = super_experts(result.layers);
  return result;
}

}  // namespace witan
