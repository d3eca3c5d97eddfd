// Fields of the balance options.
#include "balance/options.h"

#include "balance/table.h"

namespace witan {

BalanceOptions::BalanceOptions() {
  for (const BalanceEntry& entry : balance_table()) {
    for (const ExtraOption& option : entry.options) balance_extra.declare(option);
  }
}

Fields BalanceOptions::fields() {
  Fields fields("balance");
  fields
      .real("router_aux_loss_coef", router_aux_loss_coef, 0.0, 1e6,
            "Coefficient of the load-balancing loss E sum_e f_e P_e; 0: off")
      .real("router_z_loss_coef", router_z_loss_coef, 0.0, 1e6,
            "Coefficient of the router z-loss mean(logsumexp(h)^2); 0: off")
      .choice("balance_counts", balance_counts, {"before_dropping", "after_dropping"},
              "Whether f counts the rows an expert was asked for, or those it served")
      .choice("balance_choices", balance_choices, {"all", "first"},
              "Whether f counts all choices of a row or the first")
      .choice("balance_scale", balance_scale, {"one", "k"}, "Value of the load-balancing loss at perfect balance")
      .choice("balance_scope", balance_scope, {"micro_batch", "sequence", "global_batch"},
              "Rows over which loads are balanced; global_batch: f over the step's micro-batches so far")
      .choice("balance_layers", balance_layers, {"mean", "sum"}, "How the balance terms of the layers are combined")
      .flag(
          "balance_hf_compatible", balance_hf_compatible,
          "Load-balancing loss as in Hugging Face's Mixtral family: over the rows of all layers at once, k at balance; "
          "balance_counts, _choices, _scale and _scope are not read");
  balance_extra.add_to(fields);
  return fields;
}

}  // namespace witan
