// What decides the balance terms of a layer.
#pragma once

#include <string>

#include "base/config.h"
#include "base/extra_options.h"

namespace witan {

struct BalanceOptions {
  BalanceOptions();  // balance_extra holds the options of every rule of the table

  double router_aux_loss_coef = 0.01;  // of the load-balancing loss; 0: off
  double router_z_loss_coef = 0.001;   // 0: off
  std::string balance_counts = "before_dropping";
  std::string balance_choices = "all";
  std::string balance_scale = "one";
  std::string balance_scope = "micro_batch";
  std::string balance_layers = "mean";
  // As the Mixtral family of Hugging Face: one loss over the rows of all layers, k at balance. The five options above
  // are then not read.
  bool balance_hf_compatible = false;
  ExtraOptions balance_extra;

  Fields fields();  // refers into this object
};

}  // namespace witan
