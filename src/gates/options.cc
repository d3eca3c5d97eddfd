// Fields of the gate options.
#include "gates/options.h"

#include "gates/table.h"

namespace witan {

GateOptions::GateOptions() {
  for (const GateEntry& entry : gate_table()) {
    for (const ExtraOption& option : entry.options) gate_extra.declare(option);
  }
}

Fields GateOptions::fields() {
  Fields fields("gate");
  fields.choice("gate", gate, gate_names(), "How rows are scored for the router")
      .real("router_init_scale", router_init_scale, 0.0, 100.0,
            "Variance of the gate's initial weights, times the number of its inputs")
      .real("router_jitter_noise", router_jitter_noise, 0.0, 1.0,
            "In training the gate sees the rows times U(1 - noise, 1 + noise); 0: off");
  gate_extra.add_to(fields);
  return fields;
}

}  // namespace witan
