// The balance terms of a model from those of its layers.
#include <algorithm>

#include "autograd/ops/elementwise.h"
#include "balance/load_balance.h"
#include "base/error.h"
#include "layers/moe_layer.h"

namespace witan {
namespace {

// The values of one term, layer by layer.
struct Collected {
  std::string name;
  PooledVector<Tensor> values;
  float unscaled = 0.0F;  // sum
};

std::vector<Collected> collect(std::span<const MoeOutput> layers) {
  std::vector<Collected> terms;
  for (const MoeOutput& layer : layers) {
    for (const BalanceTerm& term : layer.balance) {
      auto found = std::find_if(terms.begin(), terms.end(), [&](const auto& known) { return known.name == term.name; });
      if (found == terms.end()) found = terms.insert(terms.end(), {term.name, {}, 0.0F});
      found->values.push_back(term.value);
      found->unscaled += term.unscaled;
    }
  }
  return terms;
}

}  // namespace

std::vector<BalanceTerm> combine_balance(Tape& tape, const BalanceOptions& options, std::span<const MoeOutput> layers,
                                         const RouterContext& context) {
  WITAN_ASSERT(options.balance_layers == "mean" || options.balance_layers == "sum");
  std::vector<BalanceTerm> result;
  if (layers.empty()) return result;
  const float weight = options.balance_layers == "mean" ? 1.0F / static_cast<float>(layers.size()) : 1.0F;
  if (options.balance_hf_compatible && options.router_aux_loss_coef != 0.0) {
    std::vector<Routing> routings;
    for (const MoeOutput& layer : layers) {
      if (layer.routing.probabilities.defined()) routings.push_back(layer.routing);
    }
    if (!routings.empty()) result.push_back(pooled_load_balance(tape, options, routings, context));
  }
  for (const Collected& term : collect(layers)) {
    const PooledVector<float> weights(term.values.size(), weight);
    result.push_back({term.name, ops::weighted_sum(tape, term.values, weights), weight * term.unscaled});
  }
  return result;
}

}  // namespace witan
