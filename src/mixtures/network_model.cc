// Networks from options.
#include "mixtures/network_model.h"

#include <charconv>

#include "base/error.h"
#include "mixtures/families.h"
#include "mixtures/network_experts.h"
#include "mixtures/network_gate.h"

namespace witan::mixtures {
namespace {

constexpr int kWidest = 4096;

std::vector<std::string> split(const std::string& text, char separator) {
  std::vector<std::string> parts = {""};
  for (const char c : text) {
    if (c == separator) {
      parts.emplace_back();
    } else if (c != ' ') {
      parts.back() += c;
    }
  }
  return parts;
}

int size_of(const std::string& field, const std::string& text, const std::string& part) {
  int value = 0;
  const auto [end, error] = std::from_chars(part.data(), part.data() + part.size(), value);
  if (error != std::errc() || end != part.data() + part.size() || value < 1 || value > kWidest) {
    fail("fit.{}: {}='{}': '{}' is no size, expected 1 to {}", field, field, text, part, kWidest);
  }
  return value;
}

bool blends(const FitOptions& options) { return options.combine == "means"; }

// A blend of networks of these widths; its gate sees the same inputs.
std::unique_ptr<Network> make_mixture_layer(int inputs, int outputs, int experts, const std::vector<int>& gate_hidden,
                                            const std::vector<int>& expert_hidden, Activation last, bool balanced) {
  std::vector<std::unique_ptr<Network>> networks;
  for (int k = 0; k < experts; ++k) networks.push_back(make_perceptron(inputs, expert_hidden, outputs, last));
  return make_blend(make_perceptron(inputs, gate_hidden, experts, Activation::kLinear), std::move(networks), balanced);
}

std::unique_ptr<Network> make_predictor(int inputs, int outputs, const FitOptions& options) {
  const std::vector<int> gate_hidden = parse_hidden("gate_hidden", options.gate_hidden);
  const std::vector<int> expert_hidden = parse_hidden("expert_hidden", options.expert_hidden);
  std::vector<std::unique_ptr<Network>> parts;
  for (const StackLayer& layer : parse_stack(options.stack)) {
    parts.push_back(make_mixture_layer(inputs, layer.width, layer.experts, gate_hidden, {}, Activation::kRelu, true));
    inputs = layer.width;
  }
  parts.push_back(blends(options) ? make_mixture_layer(inputs, outputs, static_cast<int>(options.experts), gate_hidden,
                                                       expert_hidden, Activation::kLinear, false)
                                  : make_perceptron(inputs, expert_hidden, outputs, Activation::kLinear));
  return parts.size() == 1 ? std::move(parts.front()) : make_chain(std::move(parts));
}

}  // namespace

bool has_network_gate(const FitOptions& options) {
  return !options.gate_hidden.empty() && !blends(options) && options.stack.empty();
}
bool has_network_experts(const FitOptions& options) {
  return !options.expert_hidden.empty() || blends(options) || !options.stack.empty();
}
bool has_networks(const FitOptions& options) { return has_network_gate(options) || has_network_experts(options); }

std::vector<int> parse_hidden(const std::string& field, const std::string& text) {
  std::vector<int> sizes;
  if (text.empty()) return sizes;
  for (const std::string& part : split(text, ',')) sizes.push_back(size_of(field, text, part));
  return sizes;
}

std::vector<StackLayer> parse_stack(const std::string& text) {
  std::vector<StackLayer> layers;
  if (text.empty()) return layers;
  for (const std::string& part : split(text, ',')) {
    const std::vector<std::string> sizes = split(part, 'x');
    if (sizes.size() != 2)
      fail("fit.stack: stack='{}': '{}' is no layer, expected experts x width such as 4x8", text, part);
    layers.push_back({size_of("stack", text, sizes[0]), size_of("stack", text, sizes[1])});
  }
  return layers;
}

double least_network_parameters(const FitOptions& options) {
  const auto inside = [](const std::vector<int>& hidden) {
    double sum = 0.0;
    for (std::size_t i = 0; i < hidden.size(); ++i) sum += hidden[i] * (i == 0 ? 1.0 : hidden[i - 1] + 1.0);
    return sum;
  };
  const double of_gate = inside(parse_hidden("gate_hidden", options.gate_hidden));
  double sum =
      of_gate + static_cast<double>(options.experts) * inside(parse_hidden("expert_hidden", options.expert_hidden));
  for (const StackLayer& layer : parse_stack(options.stack))
    sum += of_gate + static_cast<double>(layer.experts) * layer.width;
  return sum;
}

std::unique_ptr<Gate> make_network_gate(const Frame& frame, const FitOptions& options) {
  return std::make_unique<NetworkGate>(
      make_perceptron(static_cast<int>(frame.gate_inputs.size()), parse_hidden("gate_hidden", options.gate_hidden),
                      static_cast<int>(options.experts) - 1, Activation::kLinear),
      options.network_ridge);
}

std::unique_ptr<Experts> make_network_experts(const Frame& frame, const FitOptions& options) {
  const int experts = blends(options) ? 1 : static_cast<int>(options.experts);
  const ExpertShape shape{experts, 1, static_cast<int>(frame.targets.size()), static_cast<int>(frame.classes.size())};
  std::unique_ptr<Experts> family = find_family(options.family).make(shape, options);
  int predictors = 0;
  for (const int head : family->heads_of(0))
    predictors += family->heads()[static_cast<std::size_t>(head)].linear ? 1 : 0;
  std::vector<std::unique_ptr<Network>> networks;
  for (int k = 0; k < experts; ++k)
    networks.push_back(make_predictor(static_cast<int>(frame.expert_inputs.size()), predictors, options));
  return std::make_unique<NetworkExperts>(std::move(family), std::move(networks), options.network_ridge);
}

}  // namespace witan::mixtures
