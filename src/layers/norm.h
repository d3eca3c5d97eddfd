// The normalisation of a residual stream: RMSNorm or LayerNorm, with or without bias.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "autograd/tape.h"
#include "witan/parameter.h"

namespace witan {

struct NormOptions {
  std::string kind = "rms";  // rms | layer
  bool bias = false;         // of a LayerNorm
  float epsilon = 1e-5F;
};

class Norm {
 public:
  // Weights 1, bias 0.
  Norm(std::int64_t width, const NormOptions& options);

  Tensor forward(Tape& tape, const Tensor& rows) const;  // [T, width] -> the same
  // Adds "<name>.weight" and, with a bias, "<name>.bias".
  void append_parameters(std::string_view name, std::vector<Parameter>& all) const;

 private:
  bool root_mean_square_;
  float epsilon_;
  Tensor weight_;
  Tensor bias_;  // undefined without one
};

}  // namespace witan
