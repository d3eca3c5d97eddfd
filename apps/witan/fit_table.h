// A fitted mixture as text for the terminal.
#pragma once

#include <string>

namespace witan::mixtures {
struct Fit;
}

namespace witan::cli {

// Likelihoods and criteria, coefficients with standard errors, restarts, certificate.
std::string fit_table(const mixtures::Fit& fit);
// One line of the choice between several models.
std::string selection_line(const mixtures::Fit& fit);

}  // namespace witan::cli
