// The gate of the deep mixture of 2013: a network with one hidden layer.
#include <cmath>

#include "autograd/ops/activation.h"
#include "autograd/ops/linear.h"
#include "gates/table.h"

namespace witan {
namespace {

class MlpGate final : public Gate {
 public:
  MlpGate(std::int64_t hidden_size, std::int64_t num_experts, std::int64_t width, double init_scale, Random& random)
      : first_(Tensor::uninitialized({width, hidden_size})),
        first_bias_(Tensor::zeros({width})),
        second_(Tensor::uninitialized({num_experts, width})),
        second_bias_(Tensor::zeros({num_experts})) {
    // Rectified units halve the variance of what they see (He et al. 2015).
    random.fill_normal(first_.values(), 0.0F, std::sqrt(2.0F / static_cast<float>(hidden_size)));
    const double deviation = std::sqrt(init_scale / static_cast<double>(width));
    random.fill_truncated_normal(second_.values(), static_cast<float>(deviation));
    for (Tensor* const tensor : {&first_, &first_bias_, &second_, &second_bias_}) tensor->set_requires_grad(true);
  }

  Tensor scores(Tape& tape, const Tensor& rows) const override {
    const Tensor hidden = ops::activation(tape, ops::linear(tape, rows, first_, first_bias_), Activation::kRelu);
    return ops::linear(tape, hidden, second_, second_bias_);
  }

  std::vector<Parameter> parameters() const override {
    return {{"first.weight", first_},
            {"first.bias", first_bias_, false},
            {"weight", second_},
            {"bias", second_bias_, false}};
  }

 private:
  Tensor first_;        // [width, D]
  Tensor first_bias_;   // [width]
  Tensor second_;       // [E, width]
  Tensor second_bias_;  // [E]
};

}  // namespace

GateEntry mlp_gate() {
  return {
      .name = "mlp",
      .summary = "a network with one hidden layer of rectified units",
      .formula = "h = V relu(U x + a) + b, U [mlp_gate_size, D]",
      .paper = "Eigen et al. 2013, section 3",
      .cost = "2 (D + E) mlp_gate_size",
      .options = {{.name = "mlp_gate_size",
                   .value = std::int64_t{64},
                   .help = "Hidden width of the mlp gate",
                   .minimum = 1,
                   .maximum = 1 << 20}},
      .make = [](const GateOptions& options, std::int64_t hidden_size, std::int64_t num_experts,
                 Random& random) -> std::unique_ptr<Gate> {
        return std::make_unique<MlpGate>(hidden_size, num_experts, options.gate_extra.integer("mlp_gate_size"),
                                         options.router_init_scale, random);
      },
  };
}

}  // namespace witan
