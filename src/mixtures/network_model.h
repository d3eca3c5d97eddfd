// Gates and experts of networks as the options describe them: the deep classical forms.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "mixtures/experts.h"
#include "mixtures/gate.h"
#include "mixtures/options.h"
#include "mixtures/prepare.h"

namespace witan::mixtures {

// Whether the options ask for a network: as the gate, as experts, or anywhere.
bool has_network_gate(const FitOptions& options);
bool has_network_experts(const FitOptions& options);
bool has_networks(const FitOptions& options);

// "16,8" -> {16, 8}; empty: none. Throws Error naming the field for anything but sizes from 1 to 4096.
std::vector<int> parse_hidden(const std::string& field, const std::string& text);
// One mixture layer of a stack.
struct StackLayer {
  int experts = 0;
  int width = 0;
};
// "4x8,4x8" -> {{4, 8}, {4, 8}}: experts x width of each layer. Throws Error likewise.
std::vector<StackLayer> parse_stack(const std::string& text);

// Fewer parameters than this cannot make the networks of these options: to check a file before memory is taken.
double least_network_parameters(const FitOptions& options);

// softmax of a perceptron with gate_hidden units (Jacobs et al. 1991, with hidden units).
std::unique_ptr<Gate> make_network_gate(const Frame& frame, const FitOptions& options);

// Experts whose predictors are
// - perceptrons with expert_hidden units: mixtures of networks; of softmaxes where the target is a class (Yang et al.
//   2018, without their shared output layer);
// - with combine=means, one blend of `experts` such perceptrons by a gate: Meta-Pi (Hampshire & Waibel 1992);
// - with a stack, mixture layers of rectified linear experts beneath (Eigen, Ranzato & Sutskever 2013, eq. 4 to 6);
//   the gate of each is a perceptron of gate_hidden units.
std::unique_ptr<Experts> make_network_experts(const Frame& frame, const FitOptions& options);

}  // namespace witan::mixtures
