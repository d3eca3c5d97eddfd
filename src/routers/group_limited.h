// Top-k among the experts of a row's best groups, with an optional bias on the selection. The routers group_limited and
// loss_free differ in the bias alone.
#pragma once

#include <cstdint>

#include "routers/groups.h"
#include "routers/token_choice.h"
#include "routers/weighting.h"
#include "witan/router.h"

namespace witan {

class GroupLimitedRouter : public Router {
 public:
  GroupLimitedRouter(std::int64_t k, const WeightingRule& weighting, const GroupLimit& limit, const Dropping& dropping)
      : k_(k), weighting_(weighting), limit_(limit), dropping_(dropping) {}

  Routing route(Tape& tape, const Tensor& scores, const RouterContext& context) override;

 protected:
  Tensor bias_;  // [E], added to what is selected by, never to a weight; undefined: none

 private:
  // What experts are selected by [T, E], without gradient: s + bias, -inf or 0 outside of the row's groups. s is
  // sigmoid(h) with the sigmoid weightings, else softmax(h).
  Tensor selection(const Tensor& scores, const Tensor& probabilities) const;

  std::int64_t k_;
  WeightingRule weighting_;
  GroupLimit limit_;
  Dropping dropping_;
};

}  // namespace witan
