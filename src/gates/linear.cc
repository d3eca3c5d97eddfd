// The linear gate: one weight vector per expert, and a bias if asked for.
#include "autograd/ops/linear.h"

#include <cmath>

#include "gates/table.h"

namespace witan {
namespace {

class LinearGate final : public Gate {
 public:
  LinearGate(std::int64_t hidden_size, std::int64_t num_experts, double init_scale, bool bias, Random& random)
      : weight_(Tensor::uninitialized({num_experts, hidden_size})) {
    const double deviation = std::sqrt(init_scale / static_cast<double>(hidden_size));
    random.fill_truncated_normal(weight_.values(), static_cast<float>(deviation));
    weight_.set_requires_grad(true);
    if (!bias) return;
    bias_ = Tensor::zeros({num_experts});
    bias_.set_requires_grad(true);
  }

  Tensor scores(Tape& tape, const Tensor& rows) const override { return ops::linear(tape, rows, weight_, bias_); }
  std::vector<Parameter> parameters() const override {
    std::vector<Parameter> result = {{"weight", weight_, true}};
    if (bias_.defined()) result.push_back({"bias", bias_, false});
    return result;
  }

 private:
  Tensor weight_;  // [E, D]
  Tensor bias_;    // [E], or undefined
};

}  // namespace

GateEntry linear_gate() {
  return {
      .name = "linear",
      .summary = "one weight vector per expert",
      .formula = "h = x W' (+ b), W ~ normal of deviation s = sqrt(router_init_scale / D), cut at 2 s",
      .paper = "Shazeer et al. 2017; initialisation Fedus et al. 2021, section 2.4",
      .cost = "2 D E",
      .options = {{.name = "router_bias", .value = false, .help = "The gate linear has a bias per expert"}},
      .make = [](const GateOptions& options, std::int64_t hidden_size, std::int64_t num_experts,
                 Random& random) -> std::unique_ptr<Gate> {
        return std::make_unique<LinearGate>(hidden_size, num_experts, options.router_init_scale,
                                            options.gate_extra.flag("router_bias"), random);
      },
  };
}

}  // namespace witan
