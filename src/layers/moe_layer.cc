// The pipeline, and the options of all its parts.
#include "layers/moe_layer.h"

#include <cmath>
#include <utility>

#include "autograd/ops/activation.h"
#include "autograd/ops/elementwise.h"
#include "autograd/ops/linear.h"
#include "autograd/ops/softmax.h"
#include "balance/table.h"
#include "base/error.h"
#include "dispatch/combine.h"
#include "experts/feed_forward.h"
#include "experts/neurons.h"
#include "gates/table.h"
#include "layers/keep_mask.h"
#include "layers/parameters.h"
#include "routers/table.h"

namespace witan {
namespace {

FeedForwardOptions expert_options(std::int64_t hidden_size, const MoeOptions& options) {
  return {.num_experts = options.num_experts,
          .hidden_size = hidden_size,
          .intermediate_size = options.moe_intermediate_size,
          .activation = parse_activation(options.hidden_act),
          .gated = options.gated,
          .bias = options.expert_bias,
          .swiglu_limit = static_cast<float>(options.swiglu_limit),
          .initializer_range = static_cast<float>(options.initializer_range),
          .weights = options.weights};
}

NeuronOptions neuron_options(std::int64_t hidden_size, const MoeOptions& options) {
  return {.num_experts = options.num_experts,
          .hidden_size = hidden_size,
          .activation = parse_activation(options.hidden_act),
          .initializer_range = static_cast<float>(options.initializer_range)};
}

// The sum of n experts that are always on is one expert of n times the width.
FeedForwardOptions shared_options(std::int64_t hidden_size, const MoeOptions& options) {
  FeedForwardOptions shared = expert_options(hidden_size, options);
  shared.num_experts = 1;
  shared.intermediate_size = options.shared_width();
  shared.bias = false;
  shared.swiglu_limit = 0.0F;
  return shared;
}

}  // namespace

Fields MoeOptions::fields() {
  Fields fields("moe");
  fields.include(RouterOptions::fields())
      .include(GateOptions::fields())
      .include(BalanceOptions::fields())
      .include(CmrOptions::fields())
      .integer("moe_intermediate_size", moe_intermediate_size, 1, 1 << 20, "Width of an expert")
      .choice("hidden_act", hidden_act, {"silu", "gelu", "gelu_pytorch_tanh", "relu", "quick_gelu", "relu2", "tanh"},
              "Nonlinearity of the experts")
      .flag("gated", gated, "Experts have three matrices, act(gate_proj x) * (up_proj x) going down; else two")
      .integer("n_shared_experts", n_shared_experts, 0, 1 << 10,
               "Experts that serve every row, beside the routed ones and as wide as them")
      .integer("shared_expert_intermediate_size", shared_expert_intermediate_size, 0, 1 << 24,
               "Width of all shared experts together; 0: n_shared_experts times moe_intermediate_size")
      .flag("shared_expert_gate", shared_expert_gate, "Shared experts are weighed by the sigmoid of a learned score")
      .flag("expert_bias", expert_bias, "Biases in the projections of the routed experts")
      .real("swiglu_limit", swiglu_limit, 0.0, 1e6,
            "Above 0: routed experts have gpt-oss' gated unit, with operands clamped at this")
      .real("expert_output_masking", expert_output_masking, 0.0, 1.0,
            "Probability in training that what an expert says of a row is masked (NLLB: 0.2), without rescaling; in "
            "evaluation it is scaled by 1 - this");
  return fields;
}

void MoeOptions::validate() const {
  if (cmr_gate && shared_width() == 0) {
    fail("moe: cmr_gate blends the mixture with shared experts, expected n_shared_experts of at least 1, got 0");
  }
  if (shared_expert_gate && shared_width() == 0) {
    fail("moe: shared_expert_gate weighs shared experts, expected n_shared_experts of at least 1, got 0");
  }
  if (swiglu_limit > 0.0 && !gated) fail("moe: swiglu_limit={} clamps a gated unit, expected gated", swiglu_limit);
  if (expert_output_masking > 0.0 && find_router(router).kind == RouterKind::kRetrieval) {
    fail("moe: expert_output_masking={} with router '{}', expected 0: single neurons are not masked",
         expert_output_masking, router);
  }
  if (find_router(router).kind != RouterKind::kRetrieval || (moe_intermediate_size == 1 && !gated)) return;
  fail("router.{}: moe_intermediate_size={} gated={}, expected 1 and false: its experts are single neurons", router,
       moe_intermediate_size, gated);
}

std::int64_t observed_experts(const MoeOptions& options) {
  if (find_router(options.router).kind != RouterKind::kRetrieval) return options.num_experts;
  return static_cast<std::int64_t>(std::llround(std::sqrt(static_cast<double>(options.num_experts))));
}

MoeLayer::MoeLayer(std::int64_t hidden_size, const MoeOptions& options, Random& random)
    : hidden_size_(hidden_size),
      jitter_noise_(options.router_jitter_noise),
      output_masking_(options.expert_output_masking) {
  options.validate();
  const RouterEntry& router = find_router(options.router);
  router_ = router.make(options, hidden_size, random);
  if (router.uses_gate) gate_ = find_gate(options.gate).make(options, hidden_size, options.num_experts, random);
  if (router.kind == RouterKind::kRetrieval) {
    neurons_ = std::make_unique<NeuronExperts>(neuron_options(hidden_size, options), random);
  } else {
    experts_ = std::make_unique<FeedForwardExperts>(expert_options(hidden_size, options), random);
  }
  if (options.shared_width() > 0) {
    shared_ = std::make_unique<FeedForwardExperts>(shared_options(hidden_size, options), random);
  }
  if (options.shared_expert_gate) {
    shared_gate_ = trained_tensor({1, hidden_size}, 0.0F);
    random.fill_normal(shared_gate_.values(), 0.0F, static_cast<float>(options.initializer_range));
  }
  if (options.cmr_gate) cmr_gate_ = std::make_unique<CmrGate>(options, hidden_size);
  balance_rules_ = make_balance_rules(options);
}

MoeLayer::~MoeLayer() = default;

MoeOutput MoeLayer::forward(Tape& tape, const Tensor& rows, const RouterContext& context) {
  if (rows.cols() != hidden_size_)
    fail("moe_layer: rows {}, expected width {}", rows.shape().to_string(), hidden_size_);
  RouterContext with_rows = context;
  with_rows.rows = &rows;

  Tensor scores;
  if (gate_ != nullptr) scores = gate_->scores(tape, gate_rows(tape, rows, context));
  Routing routing = router_->route(tape, scores, with_rows);
  tape.keep(routing.assignment);

  Tensor mixed = mix(tape, rows, routing, context);
  if (routing.identity_weights.defined()) {
    mixed = ops::add(tape, mixed, ops::scale_rows(tape, rows, routing.identity_weights));
  }
  std::vector<BalanceTerm> terms = routing.terms;
  if (cmr_gate_ != nullptr) {
    CmrGate::Blend blend = cmr_gate_->blend(tape, rows, shared_rows(tape, rows), mixed, context);
    mixed = std::move(blend.rows);
    terms.push_back(std::move(blend.budget));
  } else if (shared_ != nullptr) {
    mixed = ops::add(tape, mixed, shared_rows(tape, rows));
  }

  Tensor log_normalizers;
  if (scores.defined()) log_normalizers = ops::log_sum_exp(tape, scores);
  MoeOutput output{mixed, std::move(terms), measure_load(routing, log_normalizers, context), {}, {}, rows};
  for (const std::unique_ptr<BalanceRule>& rule : balance_rules_) {
    const BalanceInput input{log_normalizers, routing, with_rows};
    if (rule->applies(input)) output.balance.push_back(rule->term(tape, input));
  }
  output.routing = std::move(routing);
  output.scores = scores;
  return output;
}

Tensor MoeLayer::mix(Tape& tape, const Tensor& rows, const Routing& routing, const RouterContext& context) const {
  if (neurons_ != nullptr) return neurons_->forward(tape, rows, *routing.retrieval);
  const Assignment& assignment = *routing.assignment;
  const Tensor& expert_rows = routing.expert_rows.defined() ? routing.expert_rows : rows;
  const Tensor mixed = combine(tape, experts_->forward(tape, expert_rows, assignment),
                               masked_weights(tape, routing.combine_weights, context), assignment);
  return routing.spread ? routing.spread(tape, mixed) : mixed;
}

Tensor MoeLayer::expert_outputs(Tape& tape, const Tensor& rows, const Assignment& assignment) const {
  if (experts_ == nullptr) fail("moe_layer: experts of one neuron each have no outputs by assignment");
  return experts_->forward(tape, rows, assignment);
}

Tensor MoeLayer::shared_rows(Tape& tape, const Tensor& rows) const {
  Tensor said = shared_->forward_dense(tape, rows);
  if (!shared_gate_.defined()) return said;
  const Tensor weights = ops::sigmoid(tape, ops::linear(tape, rows, shared_gate_));
  return ops::scale_rows(tape, said, weights.reshaped({rows.rows()}));
}

Tensor MoeLayer::gate_rows(Tape& tape, const Tensor& rows, const RouterContext& context) const {
  if (jitter_noise_ == 0.0 || !context.training) return rows;
  WITAN_ASSERT(context.random != nullptr);
  const Tensor factors = Tensor::uninitialized(rows.shape());
  const auto noise = static_cast<float>(jitter_noise_);
  context.random->fill_uniform(factors.values(), 1.0F - noise, 1.0F + noise);
  return ops::multiply(tape, rows, factors);
}

Tensor MoeLayer::masked_weights(Tape& tape, const Tensor& combine_weights, const RouterContext& context) const {
  if (output_masking_ == 0.0) return combine_weights;
  if (!context.training) return ops::scale(tape, combine_weights, static_cast<float>(1.0 - output_masking_));
  WITAN_ASSERT(context.random != nullptr);
  return ops::multiply(tape, combine_weights, keep_mask(combine_weights.shape(), output_masking_, *context.random));
}

std::vector<Parameter> MoeLayer::parameters() const {
  std::vector<Parameter> all;
  if (gate_ != nullptr) append_prefixed(all, "gate.", gate_->parameters());
  append_prefixed(all, "router.", router_->parameters());
  append_prefixed(all, "experts.", neurons_ != nullptr ? neurons_->parameters() : experts_->parameters());
  if (shared_ != nullptr) append_prefixed(all, "shared_expert.", shared_->parameters());
  if (shared_gate_.defined()) all.push_back({"shared_expert_gate.weight", shared_gate_});
  if (cmr_gate_ != nullptr) append_prefixed(all, "cmr_gate.", cmr_gate_->parameters());
  return all;
}

std::vector<Parameter> MoeLayer::buffers() const {
  std::vector<Parameter> all;
  append_prefixed(all, "router.", router_->buffers());
  return all;
}

}  // namespace witan
