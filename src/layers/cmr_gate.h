// Conditional MoE routing: a gate of the layer's own that decides, row by row, how much of a row the mixture serves and
// how much the shared expert. NLLB Team et al. 2022, section 6.2. Not a gate of experts.
#pragma once

#include <cstdint>
#include <vector>

#include "autograd/tape.h"
#include "base/config.h"
#include "witan/parameter.h"
#include "witan/router.h"

namespace witan {

struct CmrOptions {
  bool cmr_gate = false;
  double cmr_budget = 0.8;        // share of the rows that the mixture should serve, in [0, 1]
  double cmr_budget_coef = 0.1;   // of the loss |mean G - budget|
  double cmr_gate_dropout = 0.0;  // probability of G = 0 for a row in training

  Fields fields();  // refers into this object
};

class CmrGate {
 public:
  CmrGate(const CmrOptions& options, std::int64_t hidden_size);

  struct Blend {
    Tensor rows;         // [T, D]
    BalanceTerm budget;  // "cmr_budget", over the rows that are not masked
  };
  // y = (1 - G) shared + G mixed with G = sigmoid(w rows + b); all [T, D]. In training G of a row is 0 with probability
  // cmr_gate_dropout, without rescaling.
  Blend blend(Tape& tape, const Tensor& rows, const Tensor& shared, const Tensor& mixed,
              const RouterContext& context) const;
  // "weight" [1, D] and "bias" [1], zeros at first: G = 1/2.
  std::vector<Parameter> parameters() const { return {{"weight", weight_, true}, {"bias", bias_, false}}; }

 private:
  CmrOptions options_;
  Tensor weight_;
  Tensor bias_;
};

}  // namespace witan
