// A gate of a classical mixture: log w_k(x), the probability of each expert before the target is seen. It never sees an
// expert.
#pragma once

#include <cstdint>
#include <span>

#include "mixtures/part.h"
#include "mixtures/rows.h"

namespace witan::mixtures {

class Gate : public Part {
 public:
  // out[k] [count] = log w_k of the rows begin .. begin + count - 1, count <= kBlockRows. A gate with a density of its
  // inputs gives log(w_k p_k(x)), whose sum over k is not 1: EM then climbs the joint likelihood of targets and inputs.
  virtual void log_probabilities(const Rows& rows, std::int64_t begin, std::int64_t count,
                                 std::span<double* const> out) const = 0;
  // The M-step: raises sum_n sum_k weights(n, k) log w_k minus the penalty; never lowers it.
  virtual void fit(const Rows& rows, const Weights& weights) = 0;
  // Whether log_probabilities holds the density of the inputs.
  virtual bool joint() const { return false; }
};

}  // namespace witan::mixtures
