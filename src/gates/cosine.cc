// The cosine gate: the angle between a row and one direction per expert, over a learned temperature. Bounded scores
// keep a router from winning by growing its weights.
#include <cmath>

#include "autograd/ops/elementwise.h"
#include "autograd/ops/linear.h"
#include "autograd/ops/norm.h"
#include "gates/table.h"

namespace witan {
namespace {

class CosineGate final : public Gate {
 public:
  // size 0: no projection.
  CosineGate(std::int64_t hidden_size, std::int64_t num_experts, std::int64_t size, double temperature, Random& random)
      : directions_(Tensor::uninitialized({num_experts, size > 0 ? size : hidden_size})),
        scale_(Tensor::full({1}, static_cast<float>(1.0 / temperature))) {
    if (size > 0) {
      projection_ = Tensor::uninitialized({size, hidden_size});
      random.fill_normal(projection_.values(), 0.0F, 1.0F / std::sqrt(static_cast<float>(hidden_size)));
      projection_.set_requires_grad(true);
    }
    // Only the direction counts: unit variance keeps an optimizer's step small beside the length.
    random.fill_normal(directions_.values(), 0.0F, 1.0F);
    directions_.set_requires_grad(true);
    scale_.set_requires_grad(true);
  }

  Tensor scores(Tape& tape, const Tensor& rows) const override {
    const Tensor seen = projection_.defined() ? ops::linear(tape, rows, projection_) : rows;
    const Tensor cosines = ops::linear(tape, ops::unit_norm(tape, seen), ops::unit_norm(tape, directions_));
    return ops::scale_by(tape, cosines, scale_);
  }

  std::vector<Parameter> parameters() const override {
    std::vector<Parameter> all = {{"weight", directions_, false}, {"scale", scale_, false}};
    if (projection_.defined()) all.push_back({"projection", projection_});
    return all;
  }

 private:
  Tensor projection_;  // [size, D], or undefined
  Tensor directions_;  // [E, size or D]
  Tensor scale_;       // [1], 1 / temperature
};

}  // namespace

GateEntry cosine_gate() {
  return {
      .name = "cosine",
      .summary = "cosine between the row and one direction per expert, over a learned temperature",
      .formula =
          "h_e = s <x', m_e> / (length(x') length(m_e)), x' = P x with cosine_gate_size > 0, else x; "
          "s = 1 / cosine_gate_temperature at the start",
      .paper = "Chi et al. 2022 (X-MoE), equation 5; Puigcerver et al. 2023, section 2.3 (s learned, no projection)",
      .cost = "2 D E; with a projection 2 (D + E) cosine_gate_size",
      .options = {{.name = "cosine_gate_size",
                   .value = std::int64_t{0},
                   .help = "Width that the cosine gate projects rows to first; 0: no projection",
                   .minimum = 0,
                   .maximum = 1 << 16},
                  {.name = "cosine_gate_temperature",
                   .value = 0.3,
                   .help = "Temperature of the cosine gate at the start",
                   .minimum = 1e-3,
                   .maximum = 1e3}},
      .make = [](const GateOptions& options, std::int64_t hidden_size, std::int64_t num_experts,
                 Random& random) -> std::unique_ptr<Gate> {
        return std::make_unique<CosineGate>(hidden_size, num_experts, options.gate_extra.integer("cosine_gate_size"),
                                            options.gate_extra.real("cosine_gate_temperature"), random);
      },
  };
}

}  // namespace witan
