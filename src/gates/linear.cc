// The linear gate: one weight vector per expert, no bias.
#include "autograd/ops/linear.h"

#include <cmath>

#include "gates/table.h"

namespace witan {
namespace {

class LinearGate final : public Gate {
 public:
  LinearGate(std::int64_t hidden_size, std::int64_t num_experts, double init_scale, Random& random)
      : weight_(Tensor::uninitialized({num_experts, hidden_size})) {
    const double deviation = std::sqrt(init_scale / static_cast<double>(hidden_size));
    random.fill_truncated_normal(weight_.values(), static_cast<float>(deviation));
    weight_.set_requires_grad(true);
  }

  Tensor scores(Tape& tape, const Tensor& rows) const override { return ops::linear(tape, rows, weight_); }
  std::vector<Parameter> parameters() const override { return {{"weight", weight_, true}}; }

 private:
  Tensor weight_;  // [E, D]
};

}  // namespace

GateEntry linear_gate() {
  return {
      .name = "linear",
      .summary = "one weight vector per expert",
      .formula = "h = x W', W ~ normal of deviation s = sqrt(router_init_scale / D), cut at 2 s",
      .paper = "Shazeer et al. 2017; initialisation Fedus et al. 2021, section 2.4",
      .cost = "2 D E",
      .options = {},
      .make = [](const GateOptions& options, std::int64_t hidden_size, std::int64_t num_experts,
                 Random& random) -> std::unique_ptr<Gate> {
        return std::make_unique<LinearGate>(hidden_size, num_experts, options.router_init_scale, random);
      },
  };
}

}  // namespace witan
