// Where EM runs begin: responsibilities that break the symmetry between experts, in several ways, since which one leads
// to the highest maximum depends on the data.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "mixtures/families.h"
#include "mixtures/model.h"

namespace witan::mixtures {

// "auto" (takes turns), then the starts themselves:
// "kmeans_xy": k-means on gate inputs and targets; "kmeans_x": on the gate's inputs; "segments": quantiles along one
// gate input or a random direction; "regressions": least squares around random rows, each row to the one that fits it
// best; "random": every row anywhere.
const std::vector<std::string>& start_names();
// The start of run number `run` when the option says `option`.
std::string start_of_run(const std::string& option, int run);

// Case weight times starting responsibility [rows, experts]; the same for the same seed and run. Of counts and of
// positive numbers, whose experts have a logarithmic link, the logarithms are looked at.
Weights starting_weights(const std::string& start, const Data& data, TargetKind target, int experts, std::uint64_t seed,
                         int run);

// Where the rows lie as the starts see it [dimensions, rows]: inputs of the gate (or else of the experts) and targets.
Eigen::MatrixXd start_points(const Data& data, TargetKind target);

}  // namespace witan::mixtures
