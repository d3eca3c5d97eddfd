// The mixture of neurons from its definition, in double. For tests, not for speed.
#include <vector>

#include "kernels/neuron_mixture.h"

namespace witan::kernels {

void neuron_mixture_reference(ConstMatrix x, ConstMatrix up, ConstMatrix down, const NeuronChoice& choice,
                              ConstMatrix weights, Activation activation, Matrix y) {
  std::vector<double> sums(static_cast<std::size_t>(x.cols));
  for (std::int64_t t = 0; t < x.rows; ++t) {
    sums.assign(sums.size(), 0.0);
    for (std::int64_t m = 0; m < choice.per_row; ++m) {
      const std::int32_t expert = choice.experts[static_cast<std::size_t>(t * choice.per_row + m)];
      if (expert < 0) continue;
      double hidden = 0.0;
      for (std::int64_t d = 0; d < x.cols; ++d) {
        hidden += static_cast<double>(up(expert, d)) * static_cast<double>(x(t, d));
      }
      const double factor = static_cast<double>(weights(t, m)) * activation_reference(activation, hidden).value;
      for (std::size_t d = 0; d < sums.size(); ++d) sums[d] += factor * static_cast<double>(down.row(expert)[d]);
    }
    for (std::size_t d = 0; d < sums.size(); ++d) y.row(t)[d] = static_cast<float>(sums[d]);
  }
}

}  // namespace witan::kernels
