// What a mixture layer did with one batch, in numbers for the log and the report. Not a loss: nothing is
// differentiated.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "witan/router.h"

namespace witan {

struct MoeMetrics {
  std::vector<std::int64_t> rows_per_expert;  // served
  std::vector<std::int64_t> requested_rows;   // before dropping
  double max_over_mean_load = 0.0;            // of the served rows; 0 without any
  // MaxVio of Wang et al. 2024: max / mean - 1 of the requested rows; 0 without any.
  double max_violation = 0.0;
  double dropped_share = 0.0;     // of the requested (row, expert) pairs
  double router_entropy = 0.0;    // mean over rows of the entropy of the probabilities, nats; 0 without
  std::int64_t dead_experts = 0;  // experts that were asked for by no row
  double mean_z = 0.0;            // mean over rows of logsumexp(scores); 0 without a gate
};

// max / mean - 1; 0 when all are 0.
double max_violation(std::span<const std::int64_t> requested_rows);

// log_normalizers [T] = logsumexp of the scores, or undefined without a gate. Masked rows are not counted.
MoeMetrics measure_load(const Routing& routing, const Tensor& log_normalizers, const RouterContext& context);

}  // namespace witan
