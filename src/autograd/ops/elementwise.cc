// Checks and gradients of the elementwise ops.
#include "autograd/ops/elementwise.h"

#include "base/error.h"
#include "kernels/elementwise.h"

namespace witan::ops {
namespace {

void check_same_shape(const char* where, const Tensor& a, const Tensor& b) {
  if (a.shape() != b.shape()) {
    fail("{}: shapes {} and {} differ", where, a.shape().to_string(), b.shape().to_string());
  }
}

// dx (+)= factor * dy.
void pass_gradient(const Gradient& dy, float factor, const Gradient& dx) {
  if (!dx.wanted()) return;
  const auto sink = dx.sink();
  kernels::scale(dy.values(), factor, dx.values(), sink.accumulate);
}

}  // namespace

Tensor add(Tape& tape, const Tensor& a, const Tensor& b) {
  check_same_shape("add", a, b);
  Tensor y = tape.output(a.shape(), {&a, &b});
  kernels::add(a.values(), b.values(), y.values());
  tape.record(y, [dy = y.grad(), da = a.grad(), db = b.grad()] {
    pass_gradient(dy, 1.0F, da);
    pass_gradient(dy, 1.0F, db);
  });
  return y;
}

Tensor multiply(Tape& tape, const Tensor& a, const Tensor& b) {
  check_same_shape("multiply", a, b);
  Tensor y = tape.output(a.shape(), {&a, &b});
  kernels::multiply(a.values(), b.values(), y.values(), false);
  // Each side's values are kept only for the other side's gradient.
  tape.record(y, [dy = y.grad(), da = a.grad(), db = b.grad(), kept_a = b.requires_grad() ? a.detached() : Tensor(),
                  kept_b = a.requires_grad() ? b.detached() : Tensor()] {
    if (da.wanted()) {
      const auto sink = da.sink();
      kernels::multiply(dy.values(), kept_b.values(), da.values(), sink.accumulate);
    }
    if (db.wanted()) {
      const auto sink = db.sink();
      kernels::multiply(dy.values(), kept_a.values(), db.values(), sink.accumulate);
    }
  });
  return y;
}

Tensor scale(Tape& tape, const Tensor& x, float factor) {
  Tensor y = tape.output(x.shape(), {&x});
  kernels::scale(x.values(), factor, y.values(), false);
  tape.record(y, [dy = y.grad(), dx = x.grad(), factor] { pass_gradient(dy, factor, dx); });
  return y;
}

Tensor scale_by(Tape& tape, const Tensor& x, const Tensor& factor) {
  if (factor.numel() != 1) fail("scale_by: factor {} is not a scalar", factor.shape().to_string());
  Tensor y = tape.output(x.shape(), {&x, &factor});
  kernels::scale(x.values(), factor.item(), y.values(), false);
  tape.record(y, [dy = y.grad(), dx = x.grad(), dfactor = factor.grad(), kept_factor = factor.item(),
                  kept_x = factor.requires_grad() ? x.detached() : Tensor()] {
    pass_gradient(dy, kept_factor, dx);
    if (dfactor.wanted()) {
      const std::int64_t size = kept_x.numel();
      const auto sink = dfactor.sink();
      kernels::row_dots({dy.values().data(), 1, size}, {kept_x.data(), 1, size}, {sink.data, 1}, sink.accumulate);
    }
  });
  return y;
}

Tensor scale_rows(Tape& tape, const Tensor& x, const Tensor& factor) {
  if (factor.numel() != x.rows()) {
    fail("scale_rows: x {} needs one factor per row ({}), got {}", x.shape().to_string(), x.rows(),
         factor.shape().to_string());
  }
  Tensor y = tape.output(x.shape(), {&x, &factor});
  kernels::scale_rows(x.matrix(), factor.values(), y.matrix(), false);
  tape.record(y, [dy = y.grad(), dx = x.grad(), dfactor = factor.grad(),
                  kept_x = factor.requires_grad() ? x.detached() : Tensor(),
                  kept_factor = x.requires_grad() ? factor.detached() : Tensor()] {
    if (dx.wanted()) {
      const auto sink = dx.sink();
      kernels::scale_rows(dy.matrix(), kept_factor.values(), dx.matrix(), sink.accumulate);
    }
    if (dfactor.wanted()) {
      const auto sink = dfactor.sink();
      kernels::row_dots(dy.matrix(), kept_x.matrix(), dfactor.values(), sink.accumulate);
    }
  });
  return y;
}

Tensor sigmoid(Tape& tape, const Tensor& x) {
  Tensor y = tape.output(x.shape(), {&x});
  kernels::sigmoid(x.values(), y.values());
  tape.record(y, [dy = y.grad(), dx = x.grad(), kept_y = y.detached()] {
    const auto sink = dx.sink();
    kernels::sigmoid_backward(kept_y.values(), dy.values(), dx.values(), sink.accumulate);
  });
  return y;
}

Tensor tanh(Tape& tape, const Tensor& x) {
  Tensor y = tape.output(x.shape(), {&x});
  kernels::tanh(x.values(), y.values());
  tape.record(y, [dy = y.grad(), dx = x.grad(), kept_y = y.detached()] {
    const auto sink = dx.sink();
    kernels::tanh_backward(kept_y.values(), dy.values(), dx.values(), sink.accumulate);
  });
  return y;
}

Tensor weighted_sum(Tape& tape, std::span<const Tensor> scalars, std::span<const float> weights) {
  if (scalars.size() != weights.size()) {
    fail("weighted_sum: {} scalars and {} weights", scalars.size(), weights.size());
  }
  double total = 0.0;
  for (std::size_t i = 0; i < scalars.size(); ++i) {
    if (scalars[i].numel() != 1) fail("weighted_sum: input {} is {}, not a scalar", i, scalars[i].shape().to_string());
    total += static_cast<double>(weights[i]) * static_cast<double>(scalars[i].item());
  }
  Tensor y = tape.output({}, scalars);
  y.data()[0] = static_cast<float>(total);
  PooledVector<Gradient> gradients;
  if (y.requires_grad()) {
    for (const Tensor& scalar : scalars) gradients.push_back(scalar.grad());
  }
  tape.record(y, [dy = y.grad(), gradients = std::move(gradients),
                  factors = PooledVector<float>(weights.begin(), weights.end())] {
    for (std::size_t i = 0; i < gradients.size(); ++i) pass_gradient(dy, factors[i], gradients[i]);
  });
  return y;
}

Tensor mean(Tape& tape, const Tensor& x) {
  if (x.numel() == 0) fail("mean: x {} has no elements", x.shape().to_string());
  Tensor y = tape.output({}, {&x});
  const auto count = static_cast<double>(x.numel());
  y.data()[0] = static_cast<float>(kernels::sum(x.values()) / count);
  tape.record(y, [dy = y.grad(), dx = x.grad(), count] {
    const auto share = static_cast<float>(static_cast<double>(dy.values()[0]) / count);
    const auto sink = dx.sink();
    kernels::fill(share, dx.values(), sink.accumulate);
  });
  return y;
}

}  // namespace witan::ops
