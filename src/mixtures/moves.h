// Ways out of a local maximum: responsibilities near those of a fitted mixture from which EM may climb to a higher one.
// Split-and-merge EM (Ueda, Nakano, Ghahramani & Hinton 2000) and the like; which move helps is left to chance.
#pragma once

#include "mixtures/model.h"

namespace witan::mixtures {

// `weights` [rows, experts]: case weight times responsibility, at the maximum. `points` [dimensions, rows]: where the
// rows lie (start_points). Drawn from `random`, one of:
// - an expert hands its rows to the others and takes half of the rows of another one,
// - it takes the rows around a random one, few or many, and hands over its own, or keeps them;
// - two experts swap what they have on one side of a random plane;
// - it becomes less certain who has a row (as in deterministic annealing, Ueda & Nakano 1998), or some go anywhere;
// - with `ordered` experts (leaves of a tree, whose neighbours share gates) two or three of them change places.
Weights moved(const Weights& weights, const Eigen::MatrixXd& points, bool ordered, Random& random);

}  // namespace witan::mixtures
