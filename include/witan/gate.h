// A gate scores every expert for every row.
#pragma once

#include <vector>

#include "autograd/tape.h"
#include "witan/parameter.h"

namespace witan {

class Gate {
 public:
  Gate() = default;
  Gate(const Gate&) = delete;
  Gate& operator=(const Gate&) = delete;
  virtual ~Gate() = default;

  // rows [T, D] -> scores (router logits) [T, E], in f32.
  virtual Tensor scores(Tape& tape, const Tensor& rows) const = 0;
  virtual std::vector<Parameter> parameters() const = 0;
};

}  // namespace witan
