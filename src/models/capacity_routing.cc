// Choices, places in the queues, weights.
#include "models/capacity_routing.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/error.h"
#include "dispatch/sort_by_expert.h"
#include "kernels/softmax.h"
#include "routers/token_choice.h"

namespace witan {
namespace {

// The largest but `excluded`; of equal ones the first.
std::int32_t largest(const float* values, std::int64_t count, std::int32_t excluded) {
  std::int32_t best = excluded == 0 ? 1 : 0;
  for (std::int32_t i = best + 1; i < count; ++i) {
    if (i != excluded && values[i] > values[best]) best = i;
  }
  return best;
}

// Not fraction_capacity of dispatch/, which forgives rounding errors: the reference does not.
std::int64_t capacity_of(const CapacityRouting& routing, std::int64_t rows) {
  if (routing.capacity_fraction <= 0.0) return routing.capacity;
  return static_cast<std::int64_t>(std::ceil(routing.capacity_fraction * static_cast<double>(rows)));
}

// All first choices before all second ones; rows in their order, or the surest first.
ServedSlots serve_queues(const CapacityRouting& routing, const Choices& choices, std::span<const float> weights) {
  const DropPolicy& policy = find_drop_policy(routing.batch_prioritized ? "priority" : "choice");
  const std::int64_t capacity = std::max<std::int64_t>(0, capacity_of(routing, choices.num_rows));
  return serve(choices, weights, {.capacity = capacity, .policy = &policy});
}

PooledVector<float> chosen(const Choices& choices, ConstMatrix probabilities) {
  PooledVector<float> weights(choices.experts.size());
  for (std::size_t slot = 0; slot < weights.size(); ++slot) {
    weights[slot] = probabilities(static_cast<std::int64_t>(slot) / choices.experts_per_row, choices.experts[slot]);
  }
  return weights;
}

// Of the two choices of each row. `served` is empty when all are.
void normalize(const CapacityRouting& routing, const ServedSlots& served, std::span<float> weights) {
  for (std::size_t slot = 0; slot < weights.size(); slot += 2) {
    float sum = 0.0F;
    for (std::size_t i = slot; i < slot + 2; ++i) {
      if (routing.normalize_before_dropping || served.empty() || served[i] != 0) sum += weights[i];
    }
    sum = std::max(sum, std::numeric_limits<float>::epsilon());
    weights[slot] /= sum;
    weights[slot + 1] /= sum;
  }
}

}  // namespace

void round_to(DType precision, std::span<float> values) {
  if (precision == DType::kF32) return;
  PooledVector<std::byte> bytes(values.size() * dtype_bytes(precision));
  from_floats(precision, values, bytes);
  to_floats(precision, bytes, values);
}

Routing route_with_capacity(const CapacityRouting& routing, const Tensor& logits) {
  WITAN_ASSERT((routing.choices == 1 || routing.choices == 2) && logits.cols() >= routing.choices);
  check_scores(logits);
  const Tensor probabilities = Tensor::uninitialized(logits.shape());
  kernels::softmax(logits.matrix(), probabilities.matrix());
  round_to(routing.precision, probabilities.values());

  Choices choices{logits.rows(), logits.cols(), routing.choices, {}};
  for (std::int64_t row = 0; row < logits.rows(); ++row) {
    choices.experts.push_back(largest(probabilities.matrix().row(row), logits.cols(), kNoExpert));
    if (routing.choices == 2) {
      choices.experts.push_back(largest(logits.matrix().row(row), logits.cols(), choices.experts.back()));
    }
  }
  PooledVector<float> weights = chosen(choices, probabilities.matrix());
  const ServedSlots served = serve_queues(routing, choices, weights);
  if (routing.choices == 2) normalize(routing, served, weights);
  Routing result;
  result.assignment = sort_served(choices, weights, served).assignment;
  result.combine_weights = Tensor::from({result.assignment->num_assigned()}, result.assignment->combine_weights);
  result.probabilities = probabilities;
  return result;
}

}  // namespace witan
