// What families share.
#include "mixtures/experts.h"

#include "base/error.h"

namespace witan::mixtures {

std::vector<double> Experts::head_values(const Rows& rows, int expert, std::int64_t row) const {
  std::vector<double> values;
  for (const int number : heads_of(expert)) {
    const double* of_head = coefficients(number);
    double value = of_head[0];
    if (heads()[static_cast<std::size_t>(number)].linear) {
      value = 0.0;
      for (std::size_t j = 0; j < rows.inputs.size(); ++j)
        value += of_head[j] * (rows.inputs[j] == nullptr ? 1.0 : rows.inputs[j][row]);
    }
    values.push_back(value);
  }
  return values;
}

double Experts::mean_distance(int /*expert*/, const double* /*heads*/, double /*y*/) const {
  WITAN_ASSERT(has_mean_distances());
  return 0.0;
}

double Experts::mean_difference(int /*one*/, const double* /*heads*/, int /*other*/,
                                const double* /*other_heads*/) const {
  WITAN_ASSERT(has_mean_distances());
  return 0.0;
}

}  // namespace witan::mixtures
