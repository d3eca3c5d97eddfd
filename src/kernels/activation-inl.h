// The nonlinearities on vectors, for the kernels that fuse them. Included once per instruction set, after
// hwy/highway.h.
#if defined(WITAN_KERNELS_ACTIVATION_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef WITAN_KERNELS_ACTIVATION_INL_H_
#undef WITAN_KERNELS_ACTIVATION_INL_H_
#else
#define WITAN_KERNELS_ACTIVATION_INL_H_
#endif

#include "hwy/contrib/math/math-inl.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace witan::kernels::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

template <class V>
struct ValueSlope {
  V value;
  V slope;
};

// 1 / (1 + exp(-x)), by exp(-|x|) so that nothing overflows.
template <class D, class V = hn::Vec<D>>
HWY_INLINE V sigmoid(D d, V x) {
  const V one = hn::Set(d, 1.0F);
  const V e = hn::Exp(d, hn::Neg(hn::Abs(x)));
  return hn::Div(hn::IfThenElse(hn::Lt(x, hn::Zero(d)), e, one), hn::Add(one, e));
}

struct Silu {
  template <class D, class V = hn::Vec<D>>
  static HWY_INLINE V value(D d, V x) {
    return hn::Mul(x, sigmoid(d, x));
  }
  template <class D, class V = hn::Vec<D>>
  static HWY_INLINE ValueSlope<V> value_slope(D d, V x) {
    const V s = sigmoid(d, x);
    const V y = hn::Mul(x, s);
    return {y, hn::MulAdd(hn::NegMulAdd(s, y, y), hn::Set(d, 1.0F), s)};  // s + y (1 - s)
  }
};

// x Phi(x), Phi the normal distribution function.
struct Gelu {
  // erfc(|a|) is exp(polynomial) beyond 475/512; below it 1 - erf is safe from cancellation. Minimax polynomials of
  // N. Juffa's single-precision erf (within one unit in the last place).
  template <class D, class V = hn::Vec<D>>
  static HWY_INLINE V normal_cdf(D d, V x) {
    const auto c = [d](float value) { return hn::Set(d, value); };
    const V a = hn::Mul(x, c(0.707106781186547524F));
    const V t = hn::Abs(a);
    const V s = hn::Mul(a, a);
    V far = hn::MulAdd(c(-1.72853470e-5F), t, c(3.83197126e-4F));
    far = hn::MulAdd(far, s, hn::MulAdd(c(-3.88396438e-3F), t, c(2.42546219e-2F)));
    far = hn::MulAdd(far, t, c(-1.06777877e-1F));
    far = hn::MulAdd(far, t, c(-6.34846687e-1F));
    far = hn::MulAdd(far, t, c(-1.28717512e-1F));
    // Past 10 both tails are 0 in f32, and the polynomial would turn upwards.
    far = hn::Exp(d, hn::IfThenElse(hn::Gt(t, c(10.0F)), c(-104.0F), hn::MulSub(far, t, t)));
    V near = hn::MulAdd(c(-5.96761703e-4F), s, c(4.99119423e-3F));
    near = hn::MulAdd(near, s, c(-2.67681349e-2F));
    near = hn::MulAdd(near, s, c(1.12819925e-1F));
    near = hn::MulAdd(near, s, c(-3.76125336e-1F));
    near = hn::MulAdd(near, s, c(1.28379166e-1F));
    near = hn::MulAdd(near, a, a);
    const V half = c(0.5F);
    const V tail = hn::Mul(half, far);
    const V far_cdf = hn::IfThenElse(hn::Lt(a, hn::Zero(d)), tail, hn::Sub(c(1.0F), tail));
    return hn::IfThenElse(hn::Gt(t, c(0.927734375F)), far_cdf, hn::MulAdd(half, near, half));
  }
  template <class D, class V = hn::Vec<D>>
  static HWY_INLINE V value(D d, V x) {
    return hn::Mul(x, normal_cdf(d, x));
  }
  template <class D, class V = hn::Vec<D>>
  static HWY_INLINE ValueSlope<V> value_slope(D d, V x) {
    const V cdf = normal_cdf(d, x);
    const V exponent = hn::Max(hn::Mul(hn::Mul(x, x), hn::Set(d, -0.5F)), hn::Set(d, -104.0F));
    const V density = hn::Mul(hn::Set(d, 0.398942280401432678F), hn::Exp(d, exponent));
    return {hn::Mul(x, cdf), hn::MulAdd(x, density, cdf)};
  }
};

// 0.5 x (1 + tanh(z)) = x sigmoid(2 z) with z = sqrt(2 / pi) (x + 0.044715 x^3).
struct GeluTanh {
  static constexpr float kTwiceRoot = 1.59576912160573071F;
  template <class D, class V = hn::Vec<D>>
  static HWY_INLINE V gate(D d, V x) {
    // Past 16 the sigmoid is 0 or 1 in f32; the cube of anything larger might overflow.
    const V bounded = hn::Max(hn::Min(x, hn::Set(d, 16.0F)), hn::Set(d, -16.0F));
    const V inner = hn::MulAdd(hn::Mul(bounded, bounded), hn::Set(d, 0.044715F), hn::Set(d, 1.0F));
    return sigmoid(d, hn::Mul(hn::Mul(hn::Set(d, kTwiceRoot), bounded), inner));
  }
  template <class D, class V = hn::Vec<D>>
  static HWY_INLINE V value(D d, V x) {
    return hn::Mul(x, gate(d, x));
  }
  template <class D, class V = hn::Vec<D>>
  static HWY_INLINE ValueSlope<V> value_slope(D d, V x) {
    const V s = gate(d, x);
    const V y = hn::Mul(x, s);
    const V bounded = hn::Max(hn::Min(x, hn::Set(d, 16.0F)), hn::Set(d, -16.0F));
    const V inner_slope =
        hn::MulAdd(hn::Mul(bounded, bounded), hn::Set(d, 3.0F * 0.044715F * kTwiceRoot), hn::Set(d, kTwiceRoot));
    return {y, hn::MulAdd(hn::NegMulAdd(s, y, y), inner_slope, s)};
  }
};

struct Relu {
  template <class D, class V = hn::Vec<D>>
  static HWY_INLINE V value(D d, V x) {
    return hn::IfThenZeroElse(hn::Lt(x, hn::Zero(d)), x);
  }
  template <class D, class V = hn::Vec<D>>
  static HWY_INLINE ValueSlope<V> value_slope(D d, V x) {
    const V one = hn::Set(d, 1.0F);
    return {value(d, x), hn::IfThenElseZero(hn::Gt(x, hn::Zero(d)), one)};
  }
};

// x sigmoid(1.702 x), an early approximation of gelu.
struct QuickGelu {
  static constexpr float kSteepness = 1.702F;
  template <class D, class V = hn::Vec<D>>
  static HWY_INLINE V value(D d, V x) {
    return value_slope(d, x).value;
  }
  template <class D, class V = hn::Vec<D>>
  static HWY_INLINE ValueSlope<V> value_slope(D d, V x) {
    const V s = sigmoid(d, hn::Mul(x, hn::Set(d, kSteepness)));
    const V y = hn::Mul(x, s);
    return {y, hn::MulAdd(hn::NegMulAdd(s, y, y), hn::Set(d, kSteepness), s)};  // s + 1.702 y (1 - s)
  }
};

struct Relu2 {
  template <class D, class V = hn::Vec<D>>
  static HWY_INLINE V value(D d, V x) {
    const V above = Relu::value(d, x);
    return hn::Mul(above, above);
  }
  template <class D, class V = hn::Vec<D>>
  static HWY_INLINE ValueSlope<V> value_slope(D d, V x) {
    const V above = Relu::value(d, x);
    return {hn::Mul(above, above), hn::Add(above, above)};
  }
};

struct Tanh {
  template <class D, class V = hn::Vec<D>>
  static HWY_INLINE V value(D d, V x) {
    return hn::Tanh(d, x);
  }
  template <class D, class V = hn::Vec<D>>
  static HWY_INLINE ValueSlope<V> value_slope(D d, V x) {
    const V y = hn::Tanh(d, x);
    return {y, hn::NegMulAdd(y, y, hn::Set(d, 1.0F))};
  }
};

}  // namespace witan::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
