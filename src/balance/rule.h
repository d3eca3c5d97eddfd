// A balance rule adds a term to the training objective of one mixture layer.
#pragma once

#include "autograd/tape.h"
#include "witan/router.h"

namespace witan {

// What a layer did with one batch, as far as balance is concerned.
struct BalanceInput {
  const Tensor& log_normalizers;  // [T] logsumexp of the gate's scores, with gradient; undefined without a gate
  const Routing& routing;
  const RouterContext& context;
};

class BalanceRule {
 public:
  BalanceRule() = default;
  BalanceRule(const BalanceRule&) = delete;
  BalanceRule& operator=(const BalanceRule&) = delete;
  virtual ~BalanceRule() = default;

  // Whether the layer has what the term is made of: a router without probabilities has no balance loss.
  virtual bool applies(const BalanceInput& input) const { return input.routing.probabilities.defined(); }
  // A rule may carry counts from one micro-batch of a step to the next, nothing else.
  virtual BalanceTerm term(Tape& tape, const BalanceInput& input) = 0;
};

}  // namespace witan
