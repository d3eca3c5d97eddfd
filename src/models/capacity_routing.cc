// Choices, places in the queues, weights.
#include "models/capacity_routing.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "base/error.h"
#include "base/index.h"
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

// In which order rows queue.
PooledVector<std::int32_t> queue_order(const CapacityRouting& routing, const Choices& choices,
                                       ConstMatrix probabilities) {
  PooledVector<std::int32_t> order(index(choices.num_rows));
  std::iota(order.begin(), order.end(), 0);
  if (!routing.batch_prioritized) return order;
  const auto importance = [&](std::int32_t row) {
    return probabilities(row, choices.experts[index(row * choices.experts_per_row)]);
  };
  std::stable_sort(order.begin(), order.end(),
                   [&](std::int32_t a, std::int32_t b) { return importance(a) > importance(b); });
  return order;
}

ServedSlots serve_queues(const CapacityRouting& routing, const Choices& choices, ConstMatrix probabilities) {
  const std::int64_t capacity = capacity_of(routing, choices.num_rows);
  const PooledVector<std::int32_t> order = queue_order(routing, choices, probabilities);
  ServedSlots served(choices.experts.size(), 0);
  PooledVector<std::int64_t> queued(index(choices.num_experts), 0);
  for (std::int64_t rank = 0; rank < choices.experts_per_row; ++rank) {
    for (const std::int32_t row : order) {
      const std::size_t slot = index(row * choices.experts_per_row + rank);
      served[slot] = static_cast<char>(queued[index(choices.experts[slot])]++ < capacity);
    }
  }
  return served;
}

PooledVector<float> weights_of(const CapacityRouting& routing, const Choices& choices, const ServedSlots& served,
                               ConstMatrix probabilities) {
  PooledVector<float> weights(choices.experts.size());
  for (std::size_t slot = 0; slot < weights.size(); ++slot) {
    weights[slot] = probabilities(static_cast<std::int64_t>(slot) / choices.experts_per_row, choices.experts[slot]);
  }
  if (choices.experts_per_row == 1) return weights;
  for (std::size_t slot = 0; slot < weights.size(); slot += 2) {
    float sum = 0.0F;
    for (std::size_t i = slot; i < slot + 2; ++i) {
      if (routing.normalize_before_dropping || served[i] != 0) sum += weights[i];
    }
    sum = std::max(sum, std::numeric_limits<float>::epsilon());
    weights[slot] /= sum;
    weights[slot + 1] /= sum;
  }
  return weights;
}

}  // namespace

void round_to(DType precision, std::span<float> values) {
  if (precision == DType::kF32) return;
  PooledVector<std::byte> bytes(values.size() * dtype_bytes(precision));
  from_floats(precision, values, bytes);
  to_floats(precision, bytes, values);
}

std::shared_ptr<const Assignment> route_with_capacity(const CapacityRouting& routing, const Tensor& logits) {
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
  const ServedSlots served = serve_queues(routing, choices, probabilities.matrix());
  return sort_served(choices, weights_of(routing, choices, served, probabilities.matrix()), served).assignment;
}

}  // namespace witan
