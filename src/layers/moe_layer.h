// The mixture pipeline: gate, router, dispatch, experts, combine. The only layer that sees both routers and experts.
#pragma once

#include <memory>
#include <vector>

#include "autograd/tape.h"
#include "base/config.h"
#include "witan/expert.h"
#include "witan/gate.h"
#include "witan/router.h"

namespace witan {

// What decides the mixture of one layer. Field names are Hugging Face's where it has one.
struct MoeOptions {
  std::int64_t num_experts = 8;
  std::int64_t num_experts_per_tok = 2;
  std::int64_t moe_intermediate_size = 512;
  std::string hidden_act = "silu";    // with gated = true: SwiGLU
  bool gated = true;                  // three matrices per expert (gate_proj, up_proj, down_proj) or two
  std::int64_t n_shared_experts = 0;  // each of moe_intermediate_size, always on
  std::string gate = "linear";
  std::string router = "top_k";
  std::string weighting = "topk_then_softmax";
  double routed_scaling_factor = 1.0;
  double capacity_factor = 0.0;  // 0: dropless
  double eval_capacity_factor = 0.0;
  std::string capacity_rounding = "ceil";
  std::int64_t min_capacity = 4;
  double router_jitter_noise = 0.0;
  double router_aux_loss_coef = 0.01;
  double router_z_loss_coef = 0.001;
  std::string balance_counts = "before_dropping";
  std::string balance_choices = "all";
  std::string balance_scale = "one";
  std::string balance_scope = "micro_batch";
  double router_init_scale = 0.1;

  Fields fields();
};

// What a layer did with one batch. For the log and the report.
struct MoeMetrics {
  std::vector<std::int64_t> rows_per_expert;  // served
  std::vector<std::int64_t> requested_rows;   // before dropping
  double max_over_mean_load = 0.0;
  double dropped_share = 0.0;     // of the requested (row, expert) pairs
  double router_entropy = 0.0;    // mean over rows of the entropy of the probabilities, nats
  std::int64_t dead_experts = 0;  // experts that got no row
  double mean_z = 0.0;            // mean of logsumexp(scores)
};

struct MoeOutput {
  Tensor rows;  // [T, D]
  std::vector<BalanceTerm> balance;
  MoeMetrics metrics;
  Routing routing;  // who went where; valid until the tape is cleared
};

class MoeLayer {
 public:
  // Weights are drawn from `random`. Throws Error for options that do not fit together.
  MoeLayer(std::int64_t hidden_size, const MoeOptions& options, Random& random);
  ~MoeLayer();

  // rows [T, D] -> [T, D]; a dropped row gets 0.
  MoeOutput forward(Tape& tape, const Tensor& rows, const RouterContext& context);
  std::vector<Parameter> parameters()
      const;  // "gate.weight", "experts.gate_proj" [E, F, D], "shared_expert.up_proj" ...
  std::vector<Parameter> buffers() const;
  Router& router() { return *router_; }

 private:
  MoeOptions options_;
  std::unique_ptr<Gate> gate_;
  std::unique_ptr<Router> router_;
  std::unique_ptr<Expert> experts_;
  std::unique_ptr<Expert> shared_;
};

}  // namespace witan
