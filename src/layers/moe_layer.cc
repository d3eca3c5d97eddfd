// The pipeline, and the options of all its parts.
#include "layers/moe_layer.h"

#include <utility>

#include "autograd/ops/activation.h"
#include "autograd/ops/elementwise.h"
#include "autograd/ops/softmax.h"
#include "balance/table.h"
#include "base/error.h"
#include "dispatch/combine.h"
#include "experts/feed_forward.h"
#include "gates/table.h"
#include "routers/table.h"

namespace witan {
namespace {

FeedForwardOptions expert_options(std::int64_t hidden_size, const MoeOptions& options) {
  return {.num_experts = options.num_experts,
          .hidden_size = hidden_size,
          .intermediate_size = options.moe_intermediate_size,
          .activation = parse_activation(options.hidden_act),
          .gated = options.gated,
          .initializer_range = static_cast<float>(options.initializer_range)};
}

// The sum of n experts that are always on is one expert of n times the width.
FeedForwardOptions shared_options(std::int64_t hidden_size, const MoeOptions& options) {
  FeedForwardOptions shared = expert_options(hidden_size, options);
  shared.num_experts = 1;
  shared.intermediate_size *= options.n_shared_experts;
  return shared;
}

void append(std::vector<Parameter>& all, const std::string& prefix, std::vector<Parameter> parameters) {
  for (Parameter& parameter : parameters) {
    all.push_back({prefix + parameter.name, std::move(parameter.value), parameter.decay});
  }
}

}  // namespace

Fields MoeOptions::fields() {
  Fields fields("moe");
  fields.include(RouterOptions::fields())
      .include(GateOptions::fields())
      .include(BalanceOptions::fields())
      .integer("moe_intermediate_size", moe_intermediate_size, 1, 1 << 20, "Width of an expert")
      .choice("hidden_act", hidden_act, {"silu", "gelu", "gelu_pytorch_tanh", "relu"}, "Nonlinearity of the experts")
      .flag("gated", gated, "Experts have three matrices, act(gate_proj x) * (up_proj x) going down; else two")
      .integer("n_shared_experts", n_shared_experts, 0, 1 << 10,
               "Experts that serve every row, beside the routed ones and as wide as them");
  return fields;
}

MoeLayer::MoeLayer(std::int64_t hidden_size, const MoeOptions& options, Random& random)
    : hidden_size_(hidden_size), jitter_noise_(options.router_jitter_noise) {
  const RouterEntry& router = find_router(options.router);
  router_ = router.make(options, hidden_size, random);
  if (router.uses_gate) gate_ = find_gate(options.gate).make(options, hidden_size, options.num_experts, random);
  experts_ = std::make_unique<FeedForwardExperts>(expert_options(hidden_size, options), random);
  if (options.n_shared_experts > 0) {
    shared_ = std::make_unique<FeedForwardExperts>(shared_options(hidden_size, options), random);
  }
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
  const Assignment& assignment = *routing.assignment;
  tape.keep(routing.assignment);

  const Tensor& expert_rows = routing.expert_rows.defined() ? routing.expert_rows : rows;
  Tensor mixed = combine(tape, experts_->forward(tape, expert_rows, assignment), routing.combine_weights, assignment);
  if (routing.spread) mixed = routing.spread(tape, mixed);
  if (routing.identity_weights.defined()) {
    mixed = ops::add(tape, mixed, ops::scale_rows(tape, rows, routing.identity_weights));
  }
  if (shared_ != nullptr) mixed = ops::add(tape, mixed, shared_->forward_dense(tape, rows));

  Tensor log_normalizers;
  if (scores.defined()) log_normalizers = ops::log_sum_exp(tape, scores);
  MoeOutput output{mixed, routing.terms, measure_load(routing, log_normalizers, context), {}};
  for (const std::unique_ptr<BalanceRule>& rule : balance_rules_) {
    const BalanceInput input{log_normalizers, routing, with_rows};
    if (rule->applies(input)) output.balance.push_back(rule->term(tape, input));
  }
  output.routing = std::move(routing);
  return output;
}

Tensor MoeLayer::gate_rows(Tape& tape, const Tensor& rows, const RouterContext& context) const {
  if (jitter_noise_ == 0.0 || !context.training) return rows;
  WITAN_ASSERT(context.random != nullptr);
  const Tensor factors = Tensor::uninitialized(rows.shape());
  const auto noise = static_cast<float>(jitter_noise_);
  context.random->fill_uniform(factors.values(), 1.0F - noise, 1.0F + noise);
  return ops::multiply(tape, rows, factors);
}

std::vector<Parameter> MoeLayer::parameters() const {
  std::vector<Parameter> all;
  if (gate_ != nullptr) append(all, "gate.", gate_->parameters());
  append(all, "router.", router_->parameters());
  append(all, "experts.", experts_->parameters());
  if (shared_ != nullptr) append(all, "shared_expert.", shared_->parameters());
  return all;
}

std::vector<Parameter> MoeLayer::buffers() const {
  std::vector<Parameter> all;
  append(all, "router.", router_->buffers());
  return all;
}

}  // namespace witan
