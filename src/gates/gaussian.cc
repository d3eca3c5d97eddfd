// The Gaussian gate of the localised mixture: how probable the row is under each expert's own region of the input.
#include <cmath>

#include "base/index.h"
#include "base/parallel.h"
#include "gates/table.h"

namespace witan {
namespace {

// What one expert knows of the rows. log_deviation has D values, or 1 for all dimensions.
struct Region {
  const float* mean;
  const float* log_deviation;
  std::int64_t width;
  std::int64_t step;  // 1 diagonal, 0 spherical

  float log_deviation_at(std::int64_t d) const { return log_deviation[d * step]; }
};

Region region(const Tensor& mean, const Tensor& log_deviation, std::int64_t e) {
  return {mean.matrix().row(e), log_deviation.matrix().row(e), mean.cols(), log_deviation.cols() > 1 ? 1 : 0};
}

// Up to the constant D/2 log(2 pi), which all experts share. Differences are taken before squares: the expanded square
// would lose what distinguishes a narrow region.
float log_density(const Region& expert, const float* row, const float* inverse) {
  float distance = 0.0F;
  float volume = 0.0F;
  for (std::int64_t d = 0; d < expert.width; ++d) {
    const float z = (row[d] - expert.mean[d]) * inverse[d];
    distance += z * z;
    volume += expert.log_deviation_at(d);
  }
  return -0.5F * distance - volume;
}

// 1 / deviation of every expert and dimension: [E, D].
Tensor inverse_deviations(const Tensor& mean, const Tensor& log_deviation) {
  Tensor inverse = Tensor::uninitialized(mean.shape());
  for (std::int64_t e = 0; e < mean.rows(); ++e) {
    const Region expert = region(mean, log_deviation, e);
    for (std::int64_t d = 0; d < mean.cols(); ++d) inverse.matrix()(e, d) = std::exp(-expert.log_deviation_at(d));
  }
  return inverse;
}

struct Gaussians {
  Tensor mean;           // [E, D]
  Tensor log_deviation;  // [E, D] or [E, 1]
  Tensor log_prior;      // [E], up to a constant
};

struct GaussianGradients {
  Gradient rows;
  Gradient mean;
  Gradient log_deviation;
  Gradient log_prior;
};

// With z = (x - m) / s of one row, expert and dimension: dh/dx = -z/s, dh/dm = z/s, dh/d log s = z^2 - 1.
void send_to_rows(const Tensor& dy, const Tensor& rows, const Gaussians& gaussians, const Tensor& inverse,
                  const Gradient& d_rows) {
  const std::span<float> sums = d_rows.accumulator();
  const std::int64_t width = rows.cols();
  parallel_for(rows.rows(), 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t t = begin; t < end; ++t) {
      float* const sum = sums.data() + t * width;
      for (std::int64_t e = 0; e < dy.cols(); ++e) {
        const float given = dy.matrix()(t, e);
        const float* const mean = gaussians.mean.matrix().row(e);
        const float* const scale = inverse.matrix().row(e);
        const float* const row = rows.matrix().row(t);
        for (std::int64_t d = 0; d < width; ++d) sum[d] -= given * (row[d] - mean[d]) * scale[d] * scale[d];
      }
    }
  });
}

void send_to_regions(const Tensor& dy, const Tensor& rows, const Gaussians& gaussians, const Tensor& inverse,
                     const GaussianGradients& gradients) {
  const std::span<float> d_mean = gradients.mean.accumulator();
  const std::span<float> d_log_deviation = gradients.log_deviation.accumulator();
  const std::span<float> d_log_prior = gradients.log_prior.accumulator();
  const std::int64_t width = rows.cols();
  parallel_for(dy.cols(), 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t e = begin; e < end; ++e) {
      const Region expert = region(gaussians.mean, gaussians.log_deviation, e);
      const float* const scale = inverse.matrix().row(e);
      float* const mean_sum = d_mean.data() + e * width;
      float* const deviation_sum = d_log_deviation.data() + e * gaussians.log_deviation.cols();
      for (std::int64_t t = 0; t < rows.rows(); ++t) {
        const float given = dy.matrix()(t, e);
        const float* const row = rows.matrix().row(t);
        for (std::int64_t d = 0; d < width; ++d) {
          const float z = (row[d] - expert.mean[d]) * scale[d];
          mean_sum[d] += given * z * scale[d];
          deviation_sum[d * expert.step] += given * (z * z - 1.0F);
        }
        d_log_prior[index(e)] += given;
      }
    }
  });
}

class GaussianGate final : public Gate {
 public:
  GaussianGate(std::int64_t hidden_size, std::int64_t num_experts, bool diagonal, double init_scale, Random& random)
      : gaussians_{Tensor::uninitialized({num_experts, hidden_size}),
                   Tensor::zeros({num_experts, diagonal ? hidden_size : 1}), Tensor::zeros({num_experts})} {
    // At deviation 1 the scores differ by <x, m_e> and half the squared length of m_e: the linear gate's start.
    const double deviation = std::sqrt(init_scale / static_cast<double>(hidden_size));
    random.fill_truncated_normal(gaussians_.mean.values(), static_cast<float>(deviation));
    for (Tensor* const tensor : {&gaussians_.mean, &gaussians_.log_deviation, &gaussians_.log_prior}) {
      tensor->set_requires_grad(true);
    }
  }

  Tensor scores(Tape& tape, const Tensor& rows) const override {
    const Gaussians& g = gaussians_;
    const Tensor inverse = inverse_deviations(g.mean, g.log_deviation);
    Tensor y = tape.output({rows.rows(), g.mean.rows()}, {&rows, &g.mean, &g.log_deviation, &g.log_prior});
    parallel_for(rows.rows(), 1, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t t = begin; t < end; ++t) {
        for (std::int64_t e = 0; e < y.cols(); ++e) {
          const Region expert = region(g.mean, g.log_deviation, e);
          const float density = log_density(expert, rows.matrix().row(t), inverse.matrix().row(e));
          y.matrix()(t, e) = g.log_prior.values()[index(e)] + density;
        }
      }
    });
    tape.record(
        y, [result = y, rows = rows.detached(), inverse,
            values = Gaussians{g.mean.detached(), g.log_deviation.detached(), g.log_prior.detached()},
            gradients = GaussianGradients{rows.grad(), g.mean.grad(), g.log_deviation.grad(), g.log_prior.grad()}] {
          const Tensor dy = Tensor::from(result.shape(), result.grad().values());
          if (gradients.rows.wanted()) send_to_rows(dy, rows, values, inverse, gradients.rows);
          send_to_regions(dy, rows, values, inverse, gradients);
        });
    return y;
  }

  std::vector<Parameter> parameters() const override {
    return {{"weight", gaussians_.mean, false},
            {"log_deviation", gaussians_.log_deviation, false},
            {"log_prior", gaussians_.log_prior, false}};
  }

 private:
  Gaussians gaussians_;
};

}  // namespace

GateEntry gaussian_gate() {
  return {
      .name = "gaussian",
      .summary = "log of prior times normal density of the row around each expert's mean",
      .formula =
          "h_e = log pi_e - sum over d of (log s_ed + (x_d - m_ed)^2 / (2 s_ed^2)); one s_e for all d when "
          "gaussian_gate_covariance is spherical",
      .paper = "Xu, Jordan and Hinton 1995, equation 6; Ramamurti and Ghosh 1998",
      .cost = "4 D E",
      .options = {{.name = "gaussian_gate_covariance",
                   .value = std::string("diagonal"),
                   .help = "Deviations of the gaussian gate: one per expert and dimension, or one per expert",
                   .choices = {"diagonal", "spherical"}}},
      .make = [](const GateOptions& options, std::int64_t hidden_size, std::int64_t num_experts,
                 Random& random) -> std::unique_ptr<Gate> {
        const bool diagonal = options.gate_extra.text("gaussian_gate_covariance") == "diagonal";
        return std::make_unique<GaussianGate>(hidden_size, num_experts, diagonal, options.router_init_scale, random);
      },
  };
}

}  // namespace witan
