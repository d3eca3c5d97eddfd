// One evaluation, watched by both censuses.
#include "inspection/inspection.h"

#include "base/error.h"
#include "layers/moe_layer.h"

namespace witan {

TextInspection inspect_text(Decoder& model, const Tokenizer& tokenizer, const TokenizedCorpus& tokens,
                            const EvaluationOptions& options, std::int64_t sample_rows) {
  const DecoderConfig& config = model.config();
  if (tokenizer.vocab_size() > config.vocab_size) {
    fail("inspect: the tokenizer has {} tokens, the model {}; they do not belong together", tokenizer.vocab_size(),
         config.vocab_size);
  }
  const auto stream = static_cast<std::int64_t>(tokens.heldout->tokens().size());
  std::int64_t rows = 0;
  for (const Window& window : evaluation_windows(stream, options.sequence_length, options.max_tokens)) {
    rows += window.length;
  }
  const auto domains = static_cast<std::int64_t>(tokens.domains.size());
  RoutingCensus routing(observed_experts(config.moe), domains, config.vocab_size);
  OutputCensus outputs(model, rows, sample_rows);
  const WindowObserver observers[] = {routing.observer(), outputs.observer()};
  const WindowObserver both = [&](const WindowBatch& batch, std::int64_t layer, const Routing& seen,
                                  const Tensor& input) {
    for (const WindowObserver& observer : observers) observer(batch, layer, seen, input);
  };
  TextInspection result;
  result.domains = tokens.domains;
  result.evaluation = evaluate(model, *tokens.heldout, bytes_per_token(tokenizer), domains, options, both);
  result.layers = routing.finish(tokenizer);
  result.outputs = outputs.finish();
  result.super_experts = super_experts(result.outputs);
  return result;
}

}  // namespace witan
