// The product-key gate: n^2 experts scored by two sets of n sub-keys. All scores are made here, for any router; finding
// the best few without making them all is the router peer's business.
#include <array>
#include <cmath>

#include "autograd/ops/linear.h"
#include "base/error.h"
#include "base/parallel.h"
#include "gates/table.h"

namespace witan {
namespace {

constexpr std::int64_t kKeyGrain = 16;  // rows that pay for another thread

// y[t, i n + j] = a[t, i] + b[t, j]: [T, n * n] from two [T, n].
Tensor outer_sum(Tape& tape, const Tensor& a, const Tensor& b) {
  const std::int64_t n = a.cols();
  Tensor y = tape.output({a.rows(), n * n}, {&a, &b});
  parallel_for(a.rows(), kKeyGrain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t t = begin; t < end; ++t) {
      const float* const second = b.matrix().row(t);
      float* out = y.matrix().row(t);
      for (std::int64_t i = 0; i < n; ++i, out += n) {
        for (std::int64_t j = 0; j < n; ++j) out[j] = a.matrix()(t, i) + second[j];
      }
    }
  });
  tape.record(y, [dy = y.grad(), da = a.grad(), db = b.grad(), n] {
    const std::span<float> first_sums = da.accumulator();
    const std::span<float> second_sums = db.accumulator();
    parallel_for(dy.matrix().rows, kKeyGrain, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t t = begin; t < end; ++t) {
        const float* given = dy.matrix().row(t);
        float* const second = second_sums.data() + t * n;
        for (std::int64_t i = 0; i < n; ++i, given += n) {
          float sum = 0.0F;
          for (std::int64_t j = 0; j < n; ++j) {
            sum += given[j];
            second[j] += given[j];
          }
          first_sums[static_cast<std::size_t>(t * n + i)] += sum;
        }
      }
    });
  });
  return y;
}

class ProductKeysGate final : public Gate {
 public:
  ProductKeysGate(std::int64_t hidden_size, std::int64_t sub_keys, std::int64_t size, double init_scale,
                  Random& random) {
    // Rows of unit variance give sub-queries of unit variance, and each half of the score half of init_scale.
    const float query_deviation = 1.0F / std::sqrt(static_cast<float>(hidden_size));
    const double key_deviation = std::sqrt(init_scale / (2.0 * static_cast<double>(size)));
    for (Half& half : halves_) {
      half = {Tensor::uninitialized({size, hidden_size}), Tensor::uninitialized({sub_keys, size})};
      random.fill_normal(half.query.values(), 0.0F, query_deviation);
      random.fill_truncated_normal(half.keys.values(), static_cast<float>(key_deviation));
      half.query.set_requires_grad(true);
      half.keys.set_requires_grad(true);
    }
  }

  Tensor scores(Tape& tape, const Tensor& rows) const override {
    const auto half_scores = [&](const Half& half) {
      return ops::linear(tape, ops::linear(tape, rows, half.query), half.keys);
    };
    const Tensor first = half_scores(halves_[0]);
    return outer_sum(tape, first, half_scores(halves_[1]));
  }

  std::vector<Parameter> parameters() const override {
    return {{"first.query", halves_[0].query},
            {"weight", halves_[0].keys},
            {"second.query", halves_[1].query},
            {"second.weight", halves_[1].keys}};
  }

 private:
  struct Half {
    Tensor query;  // [size, D]
    Tensor keys;   // [n, size]
  };
  std::array<Half, 2> halves_;
};

}  // namespace

GateEntry product_keys_gate() {
  return {
      .name = "product_keys",
      .summary = "experts are pairs of sub-keys: the score is the sum of two scores",
      .formula = "h_(i n + j) = <Q1 x, c_i> + <Q2 x, c'_j>, n^2 = E, Q1 and Q2 [product_key_size, D]",
      .paper = "Lample et al. 2019, section 3.2; He 2024",
      .cost = "4 (D + sqrt(E)) product_key_size + E",
      .options = {{.name = "product_key_size",
                   .value = std::int64_t{64},
                   .help = "Width of a sub-key of the gate product_keys",
                   .minimum = 1,
                   .maximum = 1 << 16}},
      .make = [](const GateOptions& options, std::int64_t hidden_size, std::int64_t num_experts,
                 Random& random) -> std::unique_ptr<Gate> {
        const auto sub_keys = static_cast<std::int64_t>(std::llround(std::sqrt(static_cast<double>(num_experts))));
        if (sub_keys * sub_keys != num_experts) {
          fail("gate.product_keys: num_experts={} is not a square; nearest: {}", num_experts, sub_keys * sub_keys);
        }
        return std::make_unique<ProductKeysGate>(hidden_size, sub_keys, options.gate_extra.integer("product_key_size"),
                                                 options.router_init_scale, random);
      },
  };
}

}  // namespace witan
