// One layer of an encoder or of a decoder that looks at a source: x + attention(norm(x)), in a decoder
// x + attention(norm(x), source), then x + feed_forward(norm(x)), where the last part is dense or a mixture of experts.
// Inference only: the tape is off.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "autograd/tensor.h"
#include "layers/norm.h"
#include "models/encoder_decoder_config.h"
#include "models/tensor_observer.h"
#include "witan/parameter.h"

namespace witan {

class FeedForwardExperts;
class KvCache;
class NamedTensors;
struct Routing;

// Called per mixture with the name of its router in the checkpoint ("encoder.block.1.layer.1.mlp.router"), its routing
// and the rows [T, D] that it got; may be empty. The weights are the router's, without expert_output_multiplier.
using MixtureObserver = std::function<void(const std::string& router, const Routing& routing, const Tensor& rows)>;

// Who looks on; both may be empty. The names that `tensors` gets are those of tensor_observer.h, below
// "encoder.layers.N." or "decoder.layers.N.".
struct EncoderDecoderObserver {
  MixtureObserver mixtures = {};
  TensorObserver tensors = {};
};

// Keys and values of the source in one layer of the decoder: [S, heads * head_dim].
struct SourceMemory {
  Tensor keys;
  Tensor values;
};

class EncoderDecoderBlock {
 public:
  enum class Side { kEncoder, kDecoder };
  // Reads its weights. Throws Error naming the tensor that is missing or misshapen.
  EncoderDecoderBlock(const EncoderDecoderConfig& config, Side side, std::int64_t layer,
                      const EncoderDecoderNames& names, NamedTensors& tensors);
  ~EncoderDecoderBlock();

  // rows [S, D], bias of relative_bias() or undefined -> [S, D].
  Tensor encode(const Tensor& rows, const Tensor& bias, const EncoderDecoderObserver& observer) const;
  // source [S, D] -> what decode() looks at.
  SourceMemory remember(const Tensor& source) const;
  // rows [T, D] continue the cache, which is not advanced; bias of relative_bias() or undefined -> [T, D].
  Tensor decode(const Tensor& rows, const Tensor& bias, KvCache& cache, const SourceMemory& source,
                const EncoderDecoderObserver& observer) const;

  // The experts of a mixture: "up_proj" [E, F, D], "down_proj" [E, D, F] and their biases. Empty when dense.
  std::vector<Parameter> experts() const;
  // [E, D], rounded as the router computes; undefined when dense.
  const Tensor& router() const { return router_.weight; }
  // As observers get it; empty when dense.
  const std::string& router_name() const { return router_name_; }
  // What each expert of a mixture says of its rows [T, D], not weighed: [num_assigned, D], entry by entry.
  Tensor expert_outputs(const Tensor& rows, const Assignment& assignment) const;

 private:
  struct Projection {
    Tensor weight;
    Tensor bias;  // undefined without one
  };
  struct Attention {
    Norm norm;
    Projection q, k, v, o;
  };
  Projection read_projection(const std::string& name, std::int64_t out, std::int64_t in, bool bias,
                             NamedTensors& tensors) const;
  Attention read_attention(const std::string& norm, const std::string& prefix, const EncoderDecoderNames& names,
                           NamedTensors& tensors) const;
  void read_feed_forward(const std::string& prefix, const EncoderDecoderNames& names, NamedTensors& tensors);
  Tensor feed_forward(const Tensor& rows, const EncoderDecoderObserver& observer) const;
  Tensor mixture(const Tensor& rows, const EncoderDecoderObserver& observer) const;
  float scale() const;
  void show(const EncoderDecoderObserver& observer, const char* part, const Tensor& tensor) const;

  const EncoderDecoderConfig& config_;  // of the model that owns this
  const StackConfig& stack_;
  std::int64_t layer_;
  std::optional<Attention> self_;
  std::optional<Attention> cross_;  // of a decoder
  std::optional<Norm> feed_forward_norm_;
  std::unique_ptr<FeedForwardExperts> experts_;  // one when dense
  Projection router_;                            // undefined when dense
  std::string router_name_;
  std::string shown_prefix_;  // "encoder.layers.0."
};

// Reads "<name>.weight" and, if the config says so, "<name>.bias".
Norm read_norm(const EncoderDecoderConfig& config, const std::string& name, NamedTensors& tensors);

}  // namespace witan
