// Who serves whom in the released encoder-decoders, outside training: top-1 with a fixed capacity (Fedus et al. 2021,
// as released with Switch) and top-2 with a share of the rows (NLLB Team et al. 2022, section 6). Not a router of the
// table: those are for training, take capacity from a factor of the mean load, and compute in f32 always.
#pragma once

#include <cstdint>
#include <span>

#include "autograd/tensor.h"
#include "formats/number_formats.h"
#include "witan/router.h"

namespace witan {

struct CapacityRouting {
  std::int64_t choices = 1;        // of a row, 1 or 2
  std::int64_t capacity = 64;      // rows that an expert serves in one pass
  double capacity_fraction = 0.0;  // above 0: ceil(this * rows of the pass) instead
  bool batch_prioritized = false;  // rows of large first probability are served first, else earlier rows
  // With two choices the weights are p1 / (p1 + p2) and p2 / (p1 + p2). Before dropping: of both choices; after: of
  // those served, so that the one that is left weighs 1. With one choice the weight is its probability.
  bool normalize_before_dropping = false;
  DType precision = DType::kF32;  // probabilities are rounded to this; the logits have been
};

// Rounds to what a number of this type (F32, F16 or BF16) can be.
void round_to(DType precision, std::span<float> values);

// logits [T, E] with E >= choices -> who serves T rows, and the probabilities. All first choices are served before all
// second ones, and a choice takes a place in the queue of its expert whether it finds room or not. Throws Error for
// logits that are not finite.
Routing route_with_capacity(const CapacityRouting& routing, const Tensor& logits);

}  // namespace witan
