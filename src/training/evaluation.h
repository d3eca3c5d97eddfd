// The loss on held-out text.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "models/decoder.h"
#include "text/tokenizer.h"
#include "training/dataset.h"
#include "training/step_report.h"

namespace witan {

// UTF-8 bytes behind each token id: 0 for bos and eos. [vocab_size]
std::vector<std::int32_t> bytes_per_token(const Tokenizer& tokenizer);

// A stretch of a stream: inputs are tokens [begin, begin + length), targets the same shifted by one.
struct Window {
  std::int64_t begin = 0;
  std::int64_t length = 0;
};

// Windows that meet every target of a stream of `tokens` tokens exactly once; the last may be shorter than `sequence`.
// With max_tokens > 0 and less than the stream: whole windows spread evenly over it, the same at each call.
std::vector<Window> evaluation_windows(std::int64_t tokens, std::int64_t sequence, std::int64_t max_tokens);

// Every window starts without context. Windows are run `batch` at a time. `observer` may be empty; it sees the routing
// of each mixture layer and the rows [T, D] that it got, with the inputs of that batch: see WindowBatch.
struct WindowBatch {
  std::span<const std::int32_t> inputs;    // [rows]
  std::span<const std::uint16_t> domains;  // of the inputs, [rows]
};
using WindowObserver =
    std::function<void(const WindowBatch& batch, std::int64_t layer, const Routing& routing, const Tensor& rows)>;

struct EvaluationOptions {
  std::int64_t batch_size = 16;
  std::int64_t sequence_length = 256;
  std::int64_t max_tokens = 0;                           // 0: all
  std::function<void(std::int64_t done)> on_batch = {};  // called with the targets met so far; may throw to stop
};

// With what all domains come to.
Evaluation with_overall(std::vector<DomainLoss> domains);

// Deterministic; the tape is off. Throws Error when the stream has fewer than two tokens.
Evaluation evaluate(Decoder& model, const TokenStream& stream, std::span<const std::int32_t> token_bytes,
                    std::int64_t num_domains, const EvaluationOptions& options, const WindowObserver& observer = {});

}  // namespace witan
