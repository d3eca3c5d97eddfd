// A decoder-only transformer with mixtures of experts. One definition for training, prefill and decoding, and for every
// architecture of decoders: its options are in config.h.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "autograd/tape.h"
#include "models/config.h"
#include "models/tensor_observer.h"

namespace witan {

struct ParameterCounts {
  std::int64_t total = 0;
  std::int64_t active = 0;  // used by one token
};

struct BlockOptions;
class KvCache;
class MoeLayer;
class Norm;
class OutputMixture;
class TransformerBlock;
namespace ops {
struct RopeTable;
}

struct DecoderOutput {
  Tensor hidden;                         // [T, D], after the final norm; loss() and logits() go on from it
  std::vector<BalanceTerm> balance;      // of all layers together, see combine_balance
  std::vector<MoeMetrics> metrics;       // per mixture layer
  std::vector<std::int64_t> moe_layers;  // index of the layer of each metrics entry
};

// Called per mixture layer with its routing and the rows [T, D] that it got.
using RoutingObserver = std::function<void(std::int64_t layer, const Routing& routing, const Tensor& rows)>;

// Who looks on; each may be empty.
struct DecoderObserver {
  RoutingObserver mixtures = {};
  TensorObserver tensors = {};
};

class Decoder {
 public:
  // Weights are normal with standard deviation initializer_range, those that end in the residual stream (o_proj,
  // down_proj) divided by sqrt(2 * num_hidden_layers) (Radford et al. 2019), norms 1, routers as their gate says. Each
  // tensor's values depend on the seed and its name alone. Throws Error when the config does not validate.
  Decoder(const DecoderConfig& config, std::uint64_t seed);
  // With zeros for a checkpoint to fill, which is quicker than drawing. With bf16 or f16 weights (embedding, head,
  // projections and feed-forward experts; not gates, norms, biases and single neurons) a model takes half the memory
  // and cannot be trained, nor can loss() be asked for.
  static std::unique_ptr<Decoder> with_zeros(const DecoderConfig& config, Precision weights = Precision::kF32);
  ~Decoder();

  // ids [batch * sequence], sequence by sequence -> hidden. With a cache (batch 1, tape off) the ids continue what it
  // holds and are added to it; an Error leaves it as it was. Throws Error for ids outside the vocabulary and for more
  // positions than max_positions().
  DecoderOutput forward(Tape& tape, std::span<const std::int32_t> ids, std::int64_t batch, std::int64_t sequence,
                        const RouterContext& context, KvCache* cache = nullptr, const DecoderObserver& observer = {});
  // An empty cache for one sequence of this model.
  KvCache make_cache() const;
  // Output projection [vocab_size, hidden_size]: the embedding when tied.
  const Tensor& head() const { return config_.tie_word_embeddings ? embedding_ : head_; }
  // Mean over the counted targets [T] of the loss in nats, from hidden [T, D]; see ops::cross_entropy.
  Tensor loss(Tape& tape, const Tensor& hidden, std::span<const std::int32_t> targets,
              std::span<float> row_losses = {}) const;
  // hidden [n, D] -> logits [n, V], without gradient: scores whose softmax is the distribution of the next token. With
  // several output softmaxes these are its log-probabilities.
  Tensor logits(const Tensor& hidden) const;

  const DecoderConfig& config() const { return config_; }
  // Named as in the Witan checkpoint: Hugging Face's names ("model.layers.0.self_attn.q_proj.weight"), with the experts
  // of a layer in one tensor ("model.layers.0.mlp.experts.up_proj"). Buffers are saved but not optimised.
  std::vector<Parameter> parameters() const;
  std::vector<Parameter> buffers() const;
  // Null for a layer without a mixture.
  const MoeLayer* mixture(std::int64_t layer) const;
  // Before the first step of a new model, see Router::prepare: token_counts [vocab_size].
  void prepare_routers(std::span<const std::int64_t> token_counts);
  // Once per optimizer step, see Router::after_step.
  void after_step(std::span<const std::vector<std::int64_t>> requested_rows_per_moe_layer);
  ParameterCounts counts() const;

 private:
  Decoder(const DecoderConfig& config, std::uint64_t seed, Precision weights, bool draw);
  BlockOptions block_options(std::int64_t layer, Precision weights) const;
  struct Rope {
    std::shared_ptr<const ops::RopeTable> table;
    PooledVector<std::int32_t> positions;  // in the table, of each row
  };
  // Where RoPE goes by the length, each sequence of a batch is turned as if it were alone: the table has a block of
  // `sequence` positions for each kind of angles.
  Rope rope_by_length(std::span<const std::int64_t> lengths, std::int64_t sequence) const;
  // RoPE's angles for the positions first .. first + count - 1 of a sequence that has `length` positions.
  std::shared_ptr<const ops::RopeTable> rope_table(std::int64_t first, std::int64_t count, std::int64_t length);
  // Head and hidden rows whose product has the logits' scale and bias.
  struct Output {
    Tensor hidden;
    Tensor head;
  };
  Output output(Tape& tape, const Tensor& hidden) const;

  DecoderConfig config_;
  std::shared_ptr<const ops::RopeTable> rope_;  // of the last pass
  std::int64_t rope_length_ = 0;                // that it was made for
  Tensor embedding_;
  Tensor head_;       // undefined when tied
  Tensor head_bias_;  // undefined without one
  std::unique_ptr<Norm> final_norm_;
  std::unique_ptr<OutputMixture> output_mixture_;  // null with one softmax
  std::vector<std::unique_ptr<TransformerBlock>> layers_;
};

}  // namespace witan
