// Held-out loss, overall and by domain.
#include "training/evaluation.h"

#include <algorithm>
#include <utility>

#include "base/error.h"

namespace witan {
namespace {

// Adds the windows [first, first + count), all of one length, to `sums`.
void add_batch(Decoder& model, const TokenStream& stream, std::span<const std::int32_t> token_bytes,
               std::span<const Window> windows, const WindowObserver& observer, std::vector<DomainLoss>& sums) {
  std::vector<std::int32_t> inputs;
  std::vector<std::int32_t> targets;
  std::vector<std::uint16_t> input_domains;
  std::vector<std::uint16_t> target_domains;
  for (const Window& window : windows) {
    const auto begin = static_cast<std::size_t>(window.begin);
    const auto length = static_cast<std::size_t>(window.length);
    const auto tokens = stream.tokens().subspan(begin, length + 1);
    const auto domains = stream.domains().subspan(begin, length + 1);
    inputs.insert(inputs.end(), tokens.begin(), tokens.end() - 1);
    targets.insert(targets.end(), tokens.begin() + 1, tokens.end());
    input_domains.insert(input_domains.end(), domains.begin(), domains.end() - 1);
    target_domains.insert(target_domains.end(), domains.begin() + 1, domains.end());
  }
  RouterContext context;
  context.rows_per_sequence = windows.front().length;
  context.token_ids = inputs;
  DecoderObserver in_pass;
  if (observer) {
    in_pass.mixtures = [&](std::int64_t layer, const Routing& routing, const Tensor& rows) {
      observer({inputs, input_domains}, layer, routing, rows);
    };
  }
  Tape off;
  const DecoderOutput output = model.forward(off, inputs, static_cast<std::int64_t>(windows.size()),
                                             windows.front().length, context, nullptr, in_pass);
  std::vector<float> losses(targets.size());
  model.loss(off, output.hidden, targets, losses);
  for (std::size_t i = 0; i < targets.size(); ++i) {
    DomainLoss& sum = sums[target_domains[i]];
    sum.tokens += 1;
    sum.bytes += token_bytes[static_cast<std::size_t>(targets[i])];
    sum.nats += static_cast<double>(losses[i]);
  }
}

}  // namespace

std::vector<std::int32_t> bytes_per_token(const Tokenizer& tokenizer) {
  std::vector<std::int32_t> bytes(static_cast<std::size_t>(tokenizer.vocab_size()));
  for (std::int32_t id = 0; id < tokenizer.vocab_size(); ++id) {
    const bool special = id == tokenizer.bos_id() || id == tokenizer.eos_id();
    bytes[static_cast<std::size_t>(id)] = special ? 0 : static_cast<std::int32_t>(tokenizer.token_bytes(id).size());
  }
  return bytes;
}

std::vector<Window> evaluation_windows(std::int64_t tokens, std::int64_t sequence, std::int64_t max_tokens) {
  WITAN_ASSERT(sequence > 0);
  const std::int64_t targets = tokens - 1;
  std::vector<Window> all;
  for (std::int64_t begin = 0; begin < targets; begin += sequence) {
    all.push_back({begin, std::min(sequence, targets - begin)});
  }
  if (max_tokens <= 0 || max_tokens >= targets) return all;
  const std::int64_t whole = targets / sequence;
  const std::int64_t wanted = std::clamp<std::int64_t>(max_tokens / sequence, 1, std::max<std::int64_t>(whole, 1));
  std::vector<Window> chosen;
  for (std::int64_t i = 0; i < wanted; ++i) {
    chosen.push_back(all[static_cast<std::size_t>(i * static_cast<std::int64_t>(all.size()) / wanted)]);
  }
  return chosen;
}

Evaluation evaluate(Decoder& model, const TokenStream& stream, std::span<const std::int32_t> token_bytes,
                    std::int64_t num_domains, const EvaluationOptions& options, const WindowObserver& observer) {
  const auto tokens = static_cast<std::int64_t>(stream.tokens().size());
  if (tokens < 2) fail("evaluation: {} tokens of text, expected at least 2", tokens);
  const std::vector<Window> windows = evaluation_windows(tokens, options.sequence_length, options.max_tokens);
  std::vector<DomainLoss> domains(static_cast<std::size_t>(num_domains));
  std::int64_t done = 0;
  for (std::size_t first = 0; first < windows.size();) {
    std::size_t last = first + 1;
    while (last < windows.size() && windows[last].length == windows[first].length &&
           last - first < static_cast<std::size_t>(options.batch_size)) {
      ++last;
    }
    const auto batch = std::span(windows).subspan(first, last - first);
    add_batch(model, stream, token_bytes, batch, observer, domains);
    for (const Window& window : batch) done += window.length;
    if (options.on_batch) options.on_batch(done);
    first = last;
  }
  return with_overall(std::move(domains));
}

Evaluation with_overall(std::vector<DomainLoss> domains) {
  Evaluation evaluation;
  for (const DomainLoss& domain : domains) {
    evaluation.overall.tokens += domain.tokens;
    evaluation.overall.bytes += domain.bytes;
    evaluation.overall.nats += domain.nats;
  }
  evaluation.domains = std::move(domains);
  return evaluation;
}

}  // namespace witan
