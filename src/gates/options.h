// What decides the gate of a layer: the common options, and those that single gates declare in their files.
#pragma once

#include <string>

#include "base/config.h"
#include "base/extra_options.h"

namespace witan {

struct GateOptions {
  GateOptions();  // gate_extra holds the options of every gate of the table

  std::string gate = "linear";
  // Variance of the router's initial weights, times fan_in (Fedus et al. 2021: 0.1 trains more stably than 1).
  double router_init_scale = 0.1;
  // The gate's copy of the rows is multiplied by U(1 - noise, 1 + noise) in training; experts see the rows unchanged.
  double router_jitter_noise = 0.0;
  ExtraOptions gate_extra;

  Fields fields();  // refers into this object
};

}  // namespace witan
