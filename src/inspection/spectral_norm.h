// The largest singular value of a matrix, without the others.
#pragma once

#include "base/views.h"

namespace witan {

// By Lanczos bidiagonalisation with full reorthogonalisation (Golub & Kahan 1965), until a step changes it by less than
// one part in ten million, and for 64 steps at the most; never too large but for rounding. 0 for a matrix without
// entries or of zeros. Deterministic. Products are f32.
double spectral_norm(ConstMatrix matrix);

}  // namespace witan
