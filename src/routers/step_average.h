// What a router remembers of its batches for evaluation: a vector averaged over the micro-batches of a step, then over
// steps, in buffers that are saved.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "base/pool.h"
#include "witan/parameter.h"

namespace witan {

class StepAverage {
 public:
  explicit StepAverage(std::int64_t size);

  // One micro-batch, or a part of it.
  void observe(std::span<const float> values);
  // The mean of what was observed counts one tenth, in the first ten steps as much as each step before.
  void after_step();
  // Without a step there is nothing to go by.
  bool empty() const { return steps_.values()[0] == 0.0F; }
  std::span<const float> values() const { return average_.values(); }
  // `name` [size] and `name`_steps [1].
  std::vector<Parameter> buffers(const std::string& name) const;

 private:
  Tensor average_;
  Tensor steps_;  // [1], up to where the weight of a step no longer falls
  PooledVector<double> sum_;
  double observed_ = 0.0;
};

}  // namespace witan
