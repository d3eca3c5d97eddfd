// A bank of experts of one kind: rows and their assignment in, one output per entry of the assignment out.
#pragma once

#include <vector>

#include "autograd/tape.h"
#include "witan/assignment.h"
#include "witan/parameter.h"

namespace witan {

class Expert {
 public:
  Expert() = default;
  Expert(const Expert&) = delete;
  Expert& operator=(const Expert&) = delete;
  virtual ~Expert() = default;

  virtual std::int64_t num_experts() const = 0;
  // rows [T, D], assignment with num_rows = T -> [num_assigned, D_out]: row a is the output of the expert that owns
  // entry a for row row_indices[a], not weighted.
  virtual Tensor forward(Tape& tape, const Tensor& rows, const Assignment& assignment) const = 0;
  virtual std::vector<Parameter> parameters() const = 0;
};

}  // namespace witan
