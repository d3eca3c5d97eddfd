// Nonlinearities over arrays, with Highway.
#include "kernels/activation.h"

#include "kernels/isa.h"
//
#include "hwy/foreach_target.h"
//
#include "hwy/highway.h"
#include "kernels/activation-inl.h"

HWY_BEFORE_NAMESPACE();
namespace witan::kernels::HWY_NAMESPACE {

using F32 = hn::ScalableTag<float>;

// Calls step(i, load, store) for each vector of [0, n); the last one is partial and reads zeros past the end.
template <class Step>
HWY_INLINE void for_vectors(F32 d, std::size_t n, Step&& step) {
  const std::size_t lanes = hn::Lanes(d);
  std::size_t i = 0;
  const auto load = [d, &i](const float* p) HWY_ATTR { return hn::LoadU(d, p + i); };
  const auto store = [d, &i](hn::Vec<F32> v, float* p) HWY_ATTR { hn::StoreU(v, d, p + i); };
  for (; i + lanes <= n; i += lanes) step(load, store);
  if (i == n) return;
  HWY_ALIGN float buffer[HWY_MAX_BYTES / sizeof(float)] = {};
  const std::size_t rest = n - i;
  const auto load_part = [d, &i, &buffer, rest](const float* p) HWY_ATTR {
    for (std::size_t j = 0; j < rest; ++j) buffer[j] = p[i + j];
    return hn::Load(d, buffer);
  };
  const auto store_part = [d, &i, &buffer, rest](hn::Vec<F32> v, float* p) HWY_ATTR {
    hn::Store(v, d, buffer);
    for (std::size_t j = 0; j < rest; ++j) p[i + j] = buffer[j];
  };
  step(load_part, store_part);
}

template <class Function>
void forward_of(const float* x, float* y, std::size_t n) {
  const F32 d;
  for_vectors(d, n, [d, x, y](auto load, auto store) HWY_ATTR { store(Function::value(d, load(x)), y); });
}

template <class Function>
void backward_of(const float* x, const float* dy, float* dx, bool accumulate, std::size_t n) {
  const F32 d;
  for_vectors(d, n, [d, x, dy, dx, accumulate](auto load, auto store) HWY_ATTR {
    const auto slope = Function::value_slope(d, load(x)).slope;
    const auto product = hn::Mul(load(dy), slope);
    store(accumulate ? hn::Add(load(dx), product) : product, dx);
  });
}

template <class Function>
void gated_of(const float* gate, const float* up, float* h, std::size_t n) {
  const F32 d;
  for_vectors(d, n, [d, gate, up, h](auto load, auto store) HWY_ATTR {
    const auto value = Function::value(d, load(gate));
    store(hn::Mul(value, load(up)), h);
  });
}

template <class Function>
void gated_backward_of(const float* gate, const float* up, const float* dh, GradientTarget d_gate, GradientTarget d_up,
                       std::size_t n) {
  const F32 d;
  for_vectors(d, n, [d, gate, up, dh, d_gate, d_up](auto load, auto store) HWY_ATTR {
    const auto of_gate = Function::value_slope(d, load(gate));
    const auto upstream = load(dh);
    if (d_gate.data != nullptr) {
      const auto product = hn::Mul(hn::Mul(upstream, load(up)), of_gate.slope);
      store(d_gate.accumulate ? hn::Add(load(d_gate.data), product) : product, d_gate.data);
    }
    if (d_up.data != nullptr) {
      const auto product = hn::Mul(upstream, of_gate.value);
      store(d_up.accumulate ? hn::Add(load(d_up.data), product) : product, d_up.data);
    }
  });
}

template <class Function>
void backward_in_place_of(float* x, float* dy, std::size_t n) {
  const F32 d;
  for_vectors(d, n, [d, x, dy](auto load, auto store) HWY_ATTR {
    const auto of_x = Function::value_slope(d, load(x));
    const auto dx = hn::Mul(load(dy), of_x.slope);
    store(dx, x);
    store(of_x.value, dy);
  });
}

template <class Function>
void gated_backward_in_place_of(float* gate, float* up, float* dh, std::size_t n) {
  const F32 d;
  for_vectors(d, n, [d, gate, up, dh](auto load, auto store) HWY_ATTR {
    const auto of_gate = Function::value_slope(d, load(gate));
    const auto upstream = load(dh);
    const auto up_value = load(up);
    store(hn::Mul(hn::Mul(upstream, up_value), of_gate.slope), gate);
    store(hn::Mul(upstream, of_gate.value), up);
    store(hn::Mul(of_gate.value, up_value), dh);
  });
}

// Calls visit with the function object of `kind`.
template <class Visit>
HWY_INLINE void with_function(Activation kind, Visit&& visit) {
  switch (kind) {
    case Activation::kSilu:
      return visit(Silu());
    case Activation::kGelu:
      return visit(Gelu());
    case Activation::kGeluTanh:
      return visit(GeluTanh());
    case Activation::kRelu:
      return visit(Relu());
    case Activation::kQuickGelu:
      return visit(QuickGelu());
    case Activation::kRelu2:
      return visit(Relu2());
    case Activation::kTanh:
      return visit(Tanh());
  }
}

void Forward(Activation kind, const float* x, float* y, std::size_t n) {
  with_function(kind, [&](auto function) { forward_of<decltype(function)>(x, y, n); });
}

void Backward(Activation kind, const float* x, const float* dy, float* dx, bool accumulate, std::size_t n) {
  with_function(kind, [&](auto function) { backward_of<decltype(function)>(x, dy, dx, accumulate, n); });
}

void Gated(Activation kind, const float* gate, const float* up, float* h, std::size_t n) {
  with_function(kind, [&](auto function) { gated_of<decltype(function)>(gate, up, h, n); });
}

void GatedBackward(Activation kind, const float* gate, const float* up, const float* dh, GradientTarget d_gate,
                   GradientTarget d_up, std::size_t n) {
  with_function(kind, [&](auto function) { gated_backward_of<decltype(function)>(gate, up, dh, d_gate, d_up, n); });
}

void ForwardBlock(Activation kind, ConstMatrix x, Matrix y) {
  with_function(kind, [&](auto function) {
    for (std::int64_t r = 0; r < x.rows; ++r) {
      forward_of<decltype(function)>(x.row(r), y.row(r), static_cast<std::size_t>(x.cols));
    }
  });
}

void GatedBlock(Activation kind, ConstMatrix gate, ConstMatrix up, Matrix h) {
  with_function(kind, [&](auto function) {
    for (std::int64_t r = 0; r < gate.rows; ++r) {
      gated_of<decltype(function)>(gate.row(r), up.row(r), h.row(r), static_cast<std::size_t>(gate.cols));
    }
  });
}

void BackwardBlock(Activation kind, Matrix x, Matrix dy) {
  with_function(kind, [&](auto function) {
    for (std::int64_t r = 0; r < x.rows; ++r) {
      backward_in_place_of<decltype(function)>(x.row(r), dy.row(r), static_cast<std::size_t>(x.cols));
    }
  });
}

void GatedBackwardBlock(Activation kind, Matrix gate, Matrix up, Matrix dh) {
  with_function(kind, [&](auto function) {
    for (std::int64_t r = 0; r < gate.rows; ++r) {
      gated_backward_in_place_of<decltype(function)>(gate.row(r), up.row(r), dh.row(r),
                                                     static_cast<std::size_t>(gate.cols));
    }
  });
}

}  // namespace witan::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include <array>
#include <cmath>
#include <numbers>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/parallel.h"
#include "base/suggest.h"
#include "kernels/grain.h"

namespace witan {
namespace {

constexpr std::array<std::string_view, 7> kNames{"silu",  "gelu", "gelu_pytorch_tanh", "relu", "quick_gelu",
                                                 "relu2", "tanh"};

}  // namespace

Activation parse_activation(std::string_view name) {
  for (std::size_t i = 0; i < kNames.size(); ++i) {
    if (kNames.at(i) == name) return static_cast<Activation>(i);
  }
  const std::vector<std::string> known(kNames.begin(), kNames.end());
  fail("hidden_act: unknown activation '{}' (known: {})", name, comma_list(known));
}

std::string_view activation_name(Activation activation) { return kNames.at(static_cast<std::size_t>(activation)); }

namespace kernels {
HWY_EXPORT(Forward);
HWY_EXPORT(Backward);
HWY_EXPORT(Gated);
HWY_EXPORT(GatedBackward);
HWY_EXPORT(ForwardBlock);
HWY_EXPORT(GatedBlock);
HWY_EXPORT(BackwardBlock);
HWY_EXPORT(GatedBackwardBlock);

namespace {

// Calls body(first, count) on pieces of [0, n).
template <class Body>
void for_pieces(std::size_t n, Body&& body) {
  parallel_for(static_cast<std::int64_t>(n), kGrain, [&](std::int64_t begin, std::int64_t end) {
    body(static_cast<std::size_t>(begin), static_cast<std::size_t>(end - begin));
  });
}

GradientTarget advanced(GradientTarget target, std::size_t by) {
  return {target.data == nullptr ? nullptr : target.data + by, target.accumulate};
}

}  // namespace

void activation(Activation kind, std::span<const float> x, std::span<float> y) {
  WITAN_ASSERT(x.size() == y.size());
  const auto kernel = WITAN_DISPATCH(Forward);
  for_pieces(x.size(), [&](std::size_t at, std::size_t n) { kernel(kind, x.data() + at, y.data() + at, n); });
}

void activation_backward(Activation kind, std::span<const float> x, std::span<const float> dy, std::span<float> dx,
                         bool accumulate) {
  WITAN_ASSERT(x.size() == dy.size() && x.size() == dx.size());
  const auto kernel = WITAN_DISPATCH(Backward);
  for_pieces(x.size(), [&](std::size_t at, std::size_t n) {
    kernel(kind, x.data() + at, dy.data() + at, dx.data() + at, accumulate, n);
  });
}

void gated_activation(Activation kind, std::span<const float> gate, std::span<const float> up, std::span<float> h) {
  WITAN_ASSERT(gate.size() == up.size() && gate.size() == h.size());
  const auto kernel = WITAN_DISPATCH(Gated);
  for_pieces(gate.size(),
             [&](std::size_t at, std::size_t n) { kernel(kind, gate.data() + at, up.data() + at, h.data() + at, n); });
}

void gated_activation_backward(Activation kind, std::span<const float> gate, std::span<const float> up,
                               std::span<const float> dh, GradientTarget d_gate, GradientTarget d_up) {
  WITAN_ASSERT(gate.size() == up.size() && gate.size() == dh.size());
  const auto kernel = WITAN_DISPATCH(GatedBackward);
  for_pieces(gate.size(), [&](std::size_t at, std::size_t n) {
    kernel(kind, gate.data() + at, up.data() + at, dh.data() + at, advanced(d_gate, at), advanced(d_up, at), n);
  });
}

void activation_block(Activation kind, ConstMatrix x, Matrix y) {
  WITAN_ASSERT(x.rows == y.rows && x.cols == y.cols);
  WITAN_DISPATCH(ForwardBlock)(kind, x, y);
}

void gated_activation_block(Activation kind, ConstMatrix gate, ConstMatrix up, Matrix h) {
  WITAN_ASSERT(gate.rows == h.rows && gate.cols == h.cols && up.rows == h.rows && up.cols == h.cols);
  WITAN_DISPATCH(GatedBlock)(kind, gate, up, h);
}

void activation_backward_block(Activation kind, Matrix x, Matrix dy) {
  WITAN_ASSERT(x.rows == dy.rows && x.cols == dy.cols);
  WITAN_DISPATCH(BackwardBlock)(kind, x, dy);
}

void gated_activation_backward_block(Activation kind, Matrix gate, Matrix up, Matrix dh) {
  WITAN_ASSERT(gate.rows == dh.rows && gate.cols == dh.cols && up.rows == dh.rows && up.cols == dh.cols);
  WITAN_DISPATCH(GatedBackwardBlock)(kind, gate, up, dh);
}

ValueAndSlope activation_reference(Activation kind, double x) {
  switch (kind) {
    case Activation::kSilu: {
      const double s = 1.0 / (1.0 + std::exp(-x));
      return {x * s, s + x * s * (1.0 - s)};
    }
    case Activation::kGelu: {
      const double cdf = 0.5 * std::erfc(-x / std::numbers::sqrt2);
      return {x * cdf, cdf + x * std::exp(-0.5 * x * x) / std::sqrt(2.0 * std::numbers::pi)};
    }
    case Activation::kGeluTanh: {
      const double root = std::sqrt(2.0 / std::numbers::pi);
      const double tanh_z = std::tanh(root * (x + 0.044715 * x * x * x));
      const double slope_z = root * (1.0 + 3.0 * 0.044715 * x * x);
      return {0.5 * x * (1.0 + tanh_z), 0.5 * (1.0 + tanh_z) + 0.5 * x * (1.0 - tanh_z * tanh_z) * slope_z};
    }
    case Activation::kRelu:
      return {std::isnan(x) || x > 0.0 ? x : 0.0, x > 0.0 ? 1.0 : 0.0};
    case Activation::kQuickGelu: {
      const double s = 1.0 / (1.0 + std::exp(-1.702 * x));
      return {x * s, s + 1.702 * x * s * (1.0 - s)};
    }
    case Activation::kRelu2: {
      const double above = std::isnan(x) || x > 0.0 ? x : 0.0;
      return {above * above, 2.0 * above};
    }
    case Activation::kTanh: {
      const double y = std::tanh(x);
      return {y, 1.0 - y * y};
    }
  }
  WITAN_ASSERT(false);
  return {};
}

}  // namespace kernels
}  // namespace witan
#endif
