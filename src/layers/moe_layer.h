// The mixture pipeline: gate, router, dispatch, experts, combine. The only layer that sees both routers and experts.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "autograd/tape.h"
#include "balance/load_metrics.h"
#include "balance/options.h"
#include "gates/options.h"
#include "layers/cmr_gate.h"
#include "routers/options.h"
#include "witan/expert.h"
#include "witan/gate.h"
#include "witan/router.h"

namespace witan {

class BalanceRule;
class FeedForwardExperts;
class NeuronExperts;

// What decides the mixture of one layer: num_experts, num_experts_per_tok, router, gate, router_aux_loss_coef ... (see
// the bases). Field names are Hugging Face's where it has one.
struct MoeOptions : RouterOptions, GateOptions, BalanceOptions, CmrOptions {
  std::int64_t moe_intermediate_size = 512;
  std::string hidden_act = "silu";    // with gated = true: SwiGLU
  bool gated = true;                  // three matrices per expert (gate_proj, up_proj, down_proj) or two
  std::int64_t n_shared_experts = 0;  // each of moe_intermediate_size, always on
  // Width of all shared experts together, which are one network; 0: n_shared_experts times moe_intermediate_size.
  std::int64_t shared_expert_intermediate_size = 0;
  bool shared_expert_gate = false;  // what the shared experts say counts sigmoid(a learned score of the row)
  bool expert_bias = false;         // of every projection of the routed experts
  double swiglu_limit = 0.0;        // above 0: gpt-oss' gated unit, clamped at this, in the routed experts
  // NLLB's expert output masking: probability that what an expert says of a row is masked in training, without
  // rescaling; in evaluation it counts 1 - this.
  double expert_output_masking = 0.0;
  // Standard deviation of the experts' first weights. Not a field: a model sets it from its own.
  double initializer_range = 0.02;
  // How the matrices of the feed-forward experts are held. Not a field either.
  Precision weights = Precision::kF32;

  std::int64_t shared_width() const {
    return shared_expert_intermediate_size > 0 ? shared_expert_intermediate_size
                                               : n_shared_experts * moe_intermediate_size;
  }
  Fields fields();  // of the bases too; refers into this object
  // Throws Error when the experts are not of the kind that the router wants, or parts do not fit together.
  void validate() const;
};

// The experts that metrics and observers of a layer see: num_experts, or groups of them for a router that retrieves.
std::int64_t observed_experts(const MoeOptions& options);

struct MoeOutput {
  Tensor rows;                       // [T, D]
  std::vector<BalanceTerm> balance;  // of this layer; see combine_balance
  MoeMetrics metrics;
  Routing routing;  // who went where
  Tensor scores;    // [T, E] of the gate; undefined without one
  Tensor input;     // [T, D], the rows that were given, for whoever looks on
};

class MoeLayer {
 public:
  // Weights are drawn from `random`. Throws Error for options that do not fit together.
  MoeLayer(std::int64_t hidden_size, const MoeOptions& options, Random& random);
  ~MoeLayer();

  // rows [T, D] -> [T, D]; a dropped row gets 0 (plus the shared experts' output, if there are any).
  MoeOutput forward(Tape& tape, const Tensor& rows, const RouterContext& context);
  // What each expert says of its rows [T, D], not weighed: [num_assigned, D], entry by entry. Throws Error for single
  // neurons, which serve no assignment.
  Tensor expert_outputs(Tape& tape, const Tensor& rows, const Assignment& assignment) const;
  // "gate.weight" [E, D], "experts.gate_proj" [E, F, D], "shared_expert.up_proj", "shared_expert_gate.weight" [1, D]
  // ...
  std::vector<Parameter> parameters() const;
  std::vector<Parameter> buffers() const;
  Router& router() { return *router_; }

 private:
  // What the experts make of the rows, weighed and added up.
  Tensor mix(Tape& tape, const Tensor& rows, const Routing& routing, const RouterContext& context) const;
  // What the shared experts make of the rows.
  Tensor shared_rows(Tape& tape, const Tensor& rows) const;
  // What the gate sees of the rows.
  Tensor gate_rows(Tape& tape, const Tensor& rows, const RouterContext& context) const;
  // The router's weights, with expert output masking.
  Tensor masked_weights(Tape& tape, const Tensor& combine_weights, const RouterContext& context) const;

  std::int64_t hidden_size_;
  double jitter_noise_;
  double output_masking_;
  std::unique_ptr<Gate> gate_;  // null when the router needs no scores
  std::unique_ptr<Router> router_;
  // One of the two: single neurons for a router that retrieves, else a bank that takes an assignment.
  std::unique_ptr<Expert> experts_;
  std::unique_ptr<NeuronExperts> neurons_;
  std::unique_ptr<FeedForwardExperts> shared_;  // one wide expert for all; null without shared experts
  Tensor shared_gate_;                          // [1, D]; undefined without one
  std::unique_ptr<CmrGate> cmr_gate_;           // null without one
  std::vector<std::unique_ptr<BalanceRule>> balance_rules_;
};

// The balance terms of a model from those of its mixture layers: one term per name, summed or averaged over layers as
// options.balance_layers says, and the pooled loss when options.balance_hf_compatible is set. `context` is the one that
// the layers were given.
std::vector<BalanceTerm> combine_balance(Tape& tape, const BalanceOptions& options, std::span<const MoeOutput> layers,
                                         const RouterContext& context);

}  // namespace witan
