// Ways out of a local maximum: responsibilities near those of a fitted mixture from which EM may climb to a higher one.
// Split-and-merge EM (Ueda, Nakano, Ghahramani & Hinton 2000) and the like; which move helps is left to chance.
#pragma once

#include "mixtures/model.h"

namespace witan::mixtures {

// `weights` [rows, experts]: case weight times responsibility, at the maximum. `points` [dimensions, rows]: where the
// rows lie (start_points). Drawn from `random`, one of:
// - an expert hands its rows to the others and takes half of the rows of another one,
// - or the rows around a random one;
// - two experts swap what they have on one side of a random plane;
// - with `ordered` experts (leaves of a tree, whose neighbours share gates) two of them swap places.
Weights moved(const Weights& weights, const Eigen::MatrixXd& points, bool ordered, Random& random);

}  // namespace witan::mixtures
