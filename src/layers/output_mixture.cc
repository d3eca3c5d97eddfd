// Priors and latents of the mixture of softmaxes; the fused loss does the rest.
#include "layers/output_mixture.h"

#include <cmath>

#include "autograd/ops/cross_entropy.h"
#include "autograd/ops/elementwise.h"
#include "autograd/ops/linear.h"
#include "base/error.h"
#include "base/pool.h"
#include "kernels/softmax.h"

namespace witan {

OutputMixture::OutputMixture(std::int64_t hidden_size, std::int64_t num_softmaxes) {
  if (hidden_size < 1 || num_softmaxes < 1) {
    fail("output_mixture: hidden_size={} and num_softmaxes={} must be at least 1", hidden_size, num_softmaxes);
  }
  prior_ = Tensor::zeros({num_softmaxes, hidden_size});
  latent_ = Tensor::zeros({num_softmaxes * hidden_size, hidden_size});
  prior_.set_requires_grad(true);
  latent_.set_requires_grad(true);
}

Tensor OutputMixture::latents(Tape& tape, const Tensor& hidden) const {
  return ops::tanh(tape, ops::linear(tape, hidden, latent_));
}

Tensor OutputMixture::loss(Tape& tape, const Tensor& hidden, const Tensor& head, std::span<const std::int32_t> targets,
                           std::span<float> row_losses) const {
  const Tensor priors = ops::linear(tape, hidden, prior_);
  return ops::mixture_cross_entropy(tape, latents(tape, hidden), priors, head, targets, row_losses);
}

Tensor OutputMixture::log_probabilities(const Tensor& hidden, const Tensor& head) const {
  Tape off;
  const std::int64_t count = prior_.rows();
  const std::int64_t width = prior_.cols();
  const Tensor priors = ops::linear(off, hidden.detached(), prior_);
  const Tensor all_latents = latents(off, hidden.detached());
  PooledVector<float> prior_normalizers(static_cast<std::size_t>(hidden.rows()));
  kernels::log_sum_exp(priors.matrix(), prior_normalizers.data());
  Tensor result = Tensor::uninitialized({hidden.rows(), head.rows()});
  PooledVector<float> normalizers(static_cast<std::size_t>(count));
  PooledVector<double> sums(static_cast<std::size_t>(head.rows()));
  for (std::int64_t row = 0; row < hidden.rows(); ++row) {
    const Tensor of_row = Tensor::from(
        {count, width}, {all_latents.matrix().row(row), normalizers.size() * static_cast<std::size_t>(width)});
    const Tensor logits = ops::linear(off, of_row, head.detached());
    kernels::log_sum_exp(logits.matrix(), normalizers.data());
    std::fill(sums.begin(), sums.end(), 0.0);
    for (std::int64_t i = 0; i < count; ++i) {
      const float shift = priors.matrix()(row, i) - prior_normalizers[static_cast<std::size_t>(row)] -
                          normalizers[static_cast<std::size_t>(i)];
      for (std::size_t v = 0; v < sums.size(); ++v) {
        sums[v] += std::exp(static_cast<double>(logits.matrix().row(i)[v] + shift));
      }
    }
    for (std::size_t v = 0; v < sums.size(); ++v) {
      result.matrix().row(row)[v] = static_cast<float>(std::log(sums[v]));
    }
  }
  return result;
}

}  // namespace witan
