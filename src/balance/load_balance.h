// The load-balancing loss of GShard and Switch, with everything in which implementations differ as an option.
#pragma once

#include <span>

#include "autograd/tape.h"
#include "balance/options.h"
#include "witan/router.h"

namespace witan {

// One loss over the rows of several layers: E sum_e f_e P_e with f_e = rows of all layers that chose e, per row (they
// sum to k), and P_e the mean probability over all of them. As load_balancing_loss_func of Hugging Face's transformers.
// Not defined without layers: `routings` is not empty.
BalanceTerm pooled_load_balance(Tape& tape, const BalanceOptions& options, std::span<const Routing> routings,
                                const RouterContext& context);

}  // namespace witan
