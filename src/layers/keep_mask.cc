// The mask.
#include "layers/keep_mask.h"

namespace witan {

Tensor keep_mask(Shape shape, double p, Random& random) {
  Tensor mask = Tensor::uninitialized(shape);
  random.fill_uniform(mask.values(), 0.0F, 1.0F);
  for (float& value : mask.values()) value = static_cast<double>(value) < p ? 0.0F : 1.0F;
  return mask;
}

}  // namespace witan
