// How much memory a run takes: measured, and estimated before it starts.
#pragma once

#include <cstddef>
#include <cstdint>

#include "models/decoder.h"
#include "training/settings.h"

namespace witan {

// The most physical memory the process ever held, in bytes.
std::size_t peak_resident_bytes();

struct MemoryEstimate {
  std::int64_t weights = 0;  // bytes
  std::int64_t gradients = 0;
  std::int64_t moments = 0;      // of AdamW
  std::int64_t activations = 0;  // kept for the backward pass, per micro-batch; an estimate
  std::int64_t total() const { return weights + gradients + moments + activations; }
};
MemoryEstimate estimate_memory(const TrainSettings& settings, const ParameterCounts& counts);

}  // namespace witan
