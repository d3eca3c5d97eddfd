// The tensors of one pass by name, in the order in which the graph computes them: to look into a model, and to compare
// it with another (tensor_comparison.h). Names are those of models/tensor_observer.h, and with them of every mixture
// "layers.N.moe.topk_index" [T, k] and "layers.N.moe.topk_weight" [T, k], the experts that each row chose, first choice
// first (-1 where it chose fewer), and their weights (0 where an expert had no room), and "logits" [T, V].
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/pool.h"
#include "models/decoder.h"
#include "models/encoder_decoder.h"

namespace witan {

struct DumpedTensor {
  std::string name;
  std::vector<std::int64_t> shape;
  PooledVector<float> values;  // row by row; indices as they are
};

struct TensorDump {
  std::string model_type;
  std::vector<std::int32_t> tokens;         // that the pass read
  std::vector<std::int32_t> output_tokens;  // that the decoder of an encoder-decoder read
  std::vector<DumpedTensor> tensors;

  // Null when there is none of that name.
  const DumpedTensor* find(std::string_view name) const;
};

// All names that a pass of such a model has, in order. Mixtures whose rows are no tokens (soft routing, retrieval of
// single neurons) have no choices.
std::vector<std::string> dump_names(const DecoderConfig& config);
std::vector<std::string> dump_names(const EncoderDecoderConfig& config);
// Those that match a pattern, in order; '*' stands for any characters, '?' for one, [..] for one of a set. Throws Error
// naming the nearest names for a pattern that matches none.
std::vector<std::string> select_names(const std::vector<std::string>& names, const std::vector<std::string>& patterns);

// One pass over `ids` without a cache. Only the tensors named in `names` are kept. Throws Error as the pass does.
TensorDump dump_pass(Decoder& model, std::span<const std::int32_t> ids, const std::vector<std::string>& names);
// The source `ids` through the encoder, then `output_ids` in one pass through the decoder.
TensorDump dump_pass(const EncoderDecoder& model, std::span<const std::int32_t> ids,
                     std::span<const std::int32_t> output_ids, const std::vector<std::string>& names);

// "encoder.block.1.layer.1.mlp.router" -> "encoder.layers.1.moe", or of a decoder alone (has_sides = false)
// "layers.1.moe": what names of a mixture begin with, from a name that says its side and the number of its layer in any
// other way. Empty when there is no number.
std::string mixture_prefix(std::string_view name, bool has_sides);

// Where a name stands in the graph, as a key that sorts: also for names of other implementations' dumps, of which the
// unknown ones come last.
std::vector<std::int64_t> graph_position(std::string_view name);

}  // namespace witan
