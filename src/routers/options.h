// What decides the router of a layer: the common options, and those that single routers declare in their files.
#pragma once

#include <cstdint>
#include <string>

#include "base/config.h"
#include "base/extra_options.h"

namespace witan {

struct RouterOptions {
  RouterOptions();  // router_extra holds the options of every router of the table

  std::int64_t num_experts = 8;
  std::int64_t num_experts_per_tok = 2;
  std::string router = "top_k";
  std::string weighting = "topk_then_softmax";  // routers/weighting.h
  double routed_scaling_factor = 1.0;           // of the weightings "sigmoid_topk_norm", "sigmoid_scaled", "scaled"
  // Capacity per expert, over the mean load: 0 is dropless, kRouterDefault what the router's paper says.
  double capacity_factor = kRouterDefault;
  double eval_capacity_factor = kRouterDefault;
  std::string capacity_rounding = "ceil";
  std::int64_t min_capacity = 4;
  // NLLB: in evaluation an expert serves this share of the rows; 0: eval_capacity_factor decides.
  double eval_capacity_fraction = 0.0;
  std::string drop_policy = "position";  // dispatch/drop_policies.h
  std::string overflow = "drop";         // what becomes of a choice whose expert is full: "drop" or "next_best"
  ExtraOptions router_extra;
  // Ids and positions that rows may have; 0: not known. Not fields: a model sets them from its own.
  std::int64_t vocab_size = 0;
  std::int64_t max_positions = 0;

  // Accepts a choice whose weight, divided by itself, is constant: the router of such a layer learns nothing, but a
  // released model may have it. Not a field.
  bool allow_constant_weight = false;

  static constexpr double kRouterDefault = -1.0;

  Fields fields();  // refers into this object
};

}  // namespace witan
