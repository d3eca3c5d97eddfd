// The weights of the selected experts, and the probabilities that balance losses average. Not the selection.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "autograd/tape.h"
#include "dispatch/choices.h"
#include "routers/options.h"

namespace witan {

// h: the scores of a row, p = softmax(h), S: the experts it selected.
enum class Weighting {
  kSoftmaxThenTopK,  // p_i                                                  Switch, OLMoE, V-MoE, DeepSeekMoE
  kTopKThenSoftmax,  // softmax over S of h_i                                Shazeer, Mixtral
  kSoftmaxTopKNorm,  // p_i / (sum over S of p^n)^(1/n), n = norm_order      DBRX, GShard
  kSigmoidTopKNorm,  // scale * sigmoid(h_i) / sum over S of sigmoid(h)      DeepSeek-V3
  kScaled,           // scale * p_i                                          DeepSeek-V2
  kSigmoidScaled,    // scale * sigmoid(h_i)                                 DeepSeek-V3 without norm_topk_prob
};

std::vector<std::string> weighting_names();               // "softmax_then_topk", ...
Weighting parse_weighting(std::string_view name);         // throws Error naming the nearest
std::string_view weighting_formula(Weighting weighting);  // for the docs
// Whether the experts of a row are compared by sigmoid(h), not by softmax(h).
bool is_sigmoid(Weighting weighting);
// Whether the weights are made of the scores, not of the probabilities.
bool reads_scores(Weighting weighting);
// Whether the weights of a row's selection are divided by their sum (or norm). With one expert per row such a weight is
// constant, and the router gets no gradient.
bool is_renormalized(Weighting weighting);

struct WeightingRule {
  Weighting weighting = Weighting::kTopKThenSoftmax;
  float scale = 1.0F;       // routed_scaling_factor
  float norm_order = 1.0F;  // at least 1
};

// The rule that the options name, of the routers whose entry says uses_weighting. Such an entry declares
// norm_order_option among its own.
WeightingRule weighting_rule(const RouterOptions& options);
ExtraOption norm_order_option();  // "topk_norm_order"

// scores [T, E] -> [T, E], rows sum to 1: softmax, or sigmoid(h) / sum of sigmoid(h) for sigmoid weightings.
Tensor routing_probabilities(Tape& tape, const Tensor& scores, Weighting weighting);

// Weight of each choice -> [T, experts_per_row]; 0 where there is none. The gradient flows to `scores`, through
// `probabilities` (from routing_probabilities) where the formula names p.
Tensor choice_weights(Tape& tape, const Tensor& scores, const Tensor& probabilities, const Choices& choices,
                      const WeightingRule& rule);

}  // namespace witan
