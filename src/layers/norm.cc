// The two norms behind one call.
#include "layers/norm.h"

#include "autograd/ops/norm.h"
#include "layers/parameters.h"

namespace witan {

Norm::Norm(std::int64_t width, const NormOptions& options)
    : root_mean_square_(options.kind == "rms"), epsilon_(options.epsilon), weight_(trained_tensor({width}, 1.0F)) {
  if (options.bias) bias_ = trained_tensor({width}, 0.0F);
}

Tensor Norm::forward(Tape& tape, const Tensor& rows) const {
  return root_mean_square_ ? ops::rms_norm(tape, rows, weight_, epsilon_)
                           : ops::layer_norm(tape, rows, weight_, bias_, epsilon_);
}

void Norm::append_parameters(std::string_view name, std::vector<Parameter>& all) const {
  append_vector(all, std::string(name) + ".weight", weight_);
  append_vector(all, std::string(name) + ".bias", bias_);
}

}  // namespace witan
