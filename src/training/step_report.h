// What is known after one optimizer step, and after one evaluation: for the log, the progress line and the report page.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "layers/moe_layer.h"

namespace witan {

struct StepReport {
  std::int64_t step = 0;    // from 1
  std::int64_t tokens = 0;  // since the start of the run, this step included
  double seconds = 0.0;     // of training since the start of the run
  double loss = 0.0;        // cross entropy, nats per token, mean over the step
  double bits_per_byte = 0.0;
  double learning_rate = 0.0;
  double gradient_norm = 0.0;  // before clipping
  double tokens_per_second = 0.0;
  std::vector<std::pair<std::string, double>> balance;  // each term before its coefficient, mean over the step
  std::vector<std::int64_t> moe_layers;                 // the index of the layer of each entry of `metrics`
  std::vector<MoeMetrics> metrics;                      // over the step: rows summed, the rest averaged
  std::size_t peak_memory_bytes = 0;                    // of the process

  // The largest max/mean load of a layer; 0 without mixtures.
  double worst_load() const;
};

// The loss on text that was not trained on.
struct DomainLoss {
  std::int64_t tokens = 0;
  std::int64_t bytes = 0;  // UTF-8 bytes behind these tokens
  double nats = 0.0;       // summed over the tokens

  double loss() const { return tokens > 0 ? nats / static_cast<double>(tokens) : 0.0; }
  double bits_per_byte() const;
};

struct Evaluation {
  DomainLoss overall;
  std::vector<DomainLoss> domains;  // in the order of the corpus
};

}  // namespace witan
