// 2^x on vectors for x far from overflow, half the work of the general exponential: scores are kept in units of ln 2
// for it. Included once per instruction set, after hwy/highway.h.
#if defined(WITAN_KERNELS_EXP2_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef WITAN_KERNELS_EXP2_INL_H_
#undef WITAN_KERNELS_EXP2_INL_H_
#else
#define WITAN_KERNELS_EXP2_INL_H_
#endif

#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace witan::kernels::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// Within 3 units in the last place for -125 <= x <= 126, exactly 0 below (so that nothing is ever subnormal), exactly 1
// at 0; NaN stays NaN. With n = round(x): 2^x = 2^n * p(x - n), p the minimax polynomial of degree 5 on [-1/2, 1/2]
// (relative error 1.5e-7 with the constant term set to 1).
template <class D, class V = hn::Vec<D>>
HWY_INLINE V fast_exp2(D d, V x) {
  const hn::RebindToSigned<D> di;
  // Adding 1.5 * 2^23 leaves the rounded integer in the low bits.
  const V magic = hn::Set(d, 12582912.0F);
  const V shifted = hn::Add(x, magic);
  const V r = hn::Sub(x, hn::Sub(shifted, magic));
  V p = hn::MulAdd(hn::Set(d, 1.3276472e-3F), r, hn::Set(d, 9.6755413e-3F));
  p = hn::MulAdd(p, r, hn::Set(d, 5.5507133e-2F));
  p = hn::MulAdd(p, r, hn::Set(d, 2.4022120e-1F));
  p = hn::MulAdd(p, r, hn::Set(d, 6.9314697e-1F));
  p = hn::MulAdd(p, r, hn::Set(d, 1.0F));
  const auto exponent = hn::ShiftLeft<23>(hn::BitCast(di, shifted));
  p = hn::BitCast(d, hn::Add(hn::BitCast(di, p), exponent));
  return hn::IfThenZeroElse(hn::Lt(x, hn::Set(d, -125.0F)), p);
}

}  // namespace witan::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard
