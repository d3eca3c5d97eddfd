// Gates of the table by name, with options set as a command line would.
#pragma once

#include <initializer_list>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "gates/table.h"

namespace witan::test {

using Settings = std::initializer_list<std::pair<std::string, std::string>>;

inline std::unique_ptr<Gate> make_gate(const std::string& name, std::int64_t width, std::int64_t num_experts,
                                       Settings settings = {}, std::uint64_t seed = 3) {
  GateOptions options;
  options.gate = name;
  options.router_init_scale = 4.0;
  const Fields fields = options.fields();
  for (const auto& [key, value] : settings) fields.find(key).set(value);
  Random random(seed);
  return find_gate(name).make(options, width, num_experts, random);
}

inline std::map<std::string, Tensor> parameters_of(const Gate& gate) {
  std::map<std::string, Tensor> all;
  for (const Parameter& parameter : gate.parameters()) all[parameter.name] = parameter.value;
  return all;
}

}  // namespace witan::test
