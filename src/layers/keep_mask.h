// Zeros and ones at random: what NLLB's regularisers multiply by, without rescaling.
#pragma once

#include "autograd/tensor.h"
#include "base/random.h"

namespace witan {

// Each element is 0 with probability p in [0, 1], else 1; one word of random bits each.
Tensor keep_mask(Shape shape, double p, Random& random);

}  // namespace witan
