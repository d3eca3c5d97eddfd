// A decoder-only transformer with mixtures of experts: pre-norm RMSNorm, RoPE, grouped-query attention. One definition
// for training, prefill and decoding.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "autograd/tape.h"
#include "base/config.h"
#include "layers/moe_layer.h"

namespace witan {

struct DecoderConfig {
  std::int64_t vocab_size = 4096;
  std::int64_t hidden_size = 256;
  std::int64_t num_hidden_layers = 4;
  std::int64_t num_attention_heads = 8;
  std::int64_t num_key_value_heads = 4;
  std::int64_t head_dim = 0;              // 0: hidden_size / num_attention_heads
  std::int64_t intermediate_size = 1024;  // of the dense feed-forward layers
  std::int64_t max_position_embeddings = 2048;
  double rope_theta = 10000.0;
  double rms_norm_eps = 1e-5;
  std::string qk_norm = "none";  // none | head (per head, as Qwen3) | full (over the whole projection, as OLMoE)
  double clip_qkv = 0.0;         // queries, keys and values are clamped to +- this, after QK-norm; 0: off
  bool tie_word_embeddings = true;
  std::int64_t num_output_softmaxes = 1;  // above 1: the output is a mixture of that many softmaxes
  std::int64_t decoder_sparse_step = 1;   // a mixture in layers i with (i + 1) % step == 0, dense elsewhere
  double initializer_range = 0.02;
  // Accepts a router whose choice for a token depends on later tokens of the sequence: such a model cannot generate as
  // it was trained.
  bool allow_noncausal = false;
  MoeOptions moe;
  // Of the tokenizer the model was trained with, -1: none; any of several may end a text. Written into the checkpoint;
  // not fields, since nobody chooses them.
  std::int64_t bos_token_id = -1;
  std::vector<std::int64_t> eos_token_ids;

  Fields fields();  // Hugging Face's names; refers into this object
  // Sets what follows from other fields, unless somebody chose it: num_experts_per_tok to what a router that accepts
  // only one number asks for. `chosen`: names of the fields that were set by a person or a file.
  void complete(const std::set<std::string>& chosen);
  // Throws Error with the values when sizes do not fit together.
  void validate() const;

  std::int64_t dim_per_head() const { return head_dim > 0 ? head_dim : hidden_size / num_attention_heads; }
  // `moe`, with what routers know of the model.
  MoeOptions mixture_options() const;
  bool is_moe_layer(std::int64_t layer) const { return (layer + 1) % decoder_sparse_step == 0; }
};

struct ParameterCounts {
  std::int64_t total = 0;
  std::int64_t active = 0;  // used by one token
};

struct BlockOptions;
class KvCache;
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

// Called per mixture layer with its routing, for analysis; may be empty.
using RoutingObserver = std::function<void(std::int64_t layer, const Routing& routing)>;

// Called with the rows [T, D] that leave each layer, kEmbeddingLayer first; may be empty.
constexpr std::int64_t kEmbeddingLayer = -1;
using LayerObserver = std::function<void(std::int64_t layer, const Tensor& rows)>;

class Decoder {
 public:
  // Weights are normal with standard deviation initializer_range, those that end in the residual stream (o_proj,
  // down_proj) divided by sqrt(2 * num_hidden_layers) (Radford et al. 2019), norms 1, routers as their gate says. Each
  // tensor's values depend on the seed and its name alone. Throws Error when the config does not validate.
  Decoder(const DecoderConfig& config, std::uint64_t seed);
  // With zeros for a checkpoint to fill, which is quicker than drawing.
  static std::unique_ptr<Decoder> with_zeros(const DecoderConfig& config);
  ~Decoder();

  // ids [batch * sequence], sequence by sequence -> hidden. With a cache (batch 1, tape off) the ids continue what it
  // holds and are added to it; an Error leaves it as it was. Throws Error for ids outside the vocabulary and for more
  // positions than max_position_embeddings.
  DecoderOutput forward(Tape& tape, std::span<const std::int32_t> ids, std::int64_t batch, std::int64_t sequence,
                        const RouterContext& context, KvCache* cache = nullptr, const RoutingObserver& observer = {},
                        const LayerObserver& layer_observer = {});
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
  // Before the first step of a new model, see Router::prepare: token_counts [vocab_size].
  void prepare_routers(std::span<const std::int64_t> token_counts);
  // Once per optimizer step, see Router::after_step.
  void after_step(std::span<const std::vector<std::int64_t>> requested_rows_per_moe_layer);
  ParameterCounts counts() const;

 private:
  Decoder(const DecoderConfig& config, std::uint64_t seed, bool draw);
  BlockOptions block_options(std::int64_t layer) const;

  DecoderConfig config_;
  std::unique_ptr<ops::RopeTable> rope_;
  Tensor embedding_;
  Tensor head_;  // undefined when tied
  Tensor final_norm_;
  std::unique_ptr<OutputMixture> output_mixture_;  // null with one softmax
  std::vector<std::unique_ptr<TransformerBlock>> layers_;
};

}  // namespace witan
