// The learning rate over a run, as a function of the share of the run that is done. Not what decides that share: see
// training/budget.h.
#pragma once

#include <string>

#include "base/config.h"

namespace witan {

struct ScheduleOptions {
  double learning_rate = 2e-3;            // the peak
  std::string lr_scheduler_type = "wsd";  // cosine | wsd | constant
  double warmup_ratio = 0.03;             // share of the run, linear from 0
  double decay_ratio = 0.4;               // wsd only: share of the run at its end
  double min_learning_rate_ratio = 0.0;   // of the peak, reached at the end by cosine and wsd

  Fields fields();
  // Throws Error when warm-up and decay do not fit into one run.
  void validate() const;
};

// progress in [0, 1] (clamped) -> learning rate. Warm-up is linear. cosine: half a period from the peak to the minimum
// (Loshchilov & Hutter 2017). wsd (warm-up, stable, decay): the peak, then linear to the minimum (Hu et al. 2024,
// Haegele et al. 2024). constant: the peak.
double learning_rate_at(const ScheduleOptions& options, double progress);

}  // namespace witan
