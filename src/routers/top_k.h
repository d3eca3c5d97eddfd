// Each row goes to the k experts of the largest scores. The routers top_k and switch differ in settings only.
#pragma once

#include <cstdint>

#include "routers/token_choice.h"
#include "routers/weighting.h"
#include "witan/router.h"

namespace witan {

class TopKRouter final : public Router {
 public:
  TopKRouter(std::int64_t k, const WeightingRule& weighting, const Dropping& dropping)
      : k_(k), weighting_(weighting), dropping_(dropping) {}

  Routing route(Tape& tape, const Tensor& scores, const RouterContext& context) override;

 private:
  std::int64_t k_;
  WeightingRule weighting_;
  Dropping dropping_;
};

}  // namespace witan
