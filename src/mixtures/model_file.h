// Fitted mixtures as JSON: the model file, which predictions read, and the numbers of a fit, which people and programs
// read.
#pragma once

#include <filesystem>
#include <memory>
#include <nlohmann/json_fwd.hpp>

#include "mixtures/design.h"
#include "mixtures/fit.h"

namespace witan::mixtures {

// What prediction needs.
struct FittedModel {
  FitOptions options;
  Frame frame;
  Design design;
  std::unique_ptr<Model> model;
};

// Everything the table on the terminal shows, and more: log_likelihood, df, aic, bic, icl, parameters by name in the
// user's units with standard errors, restarts, certificate. Numbers that do not exist are null, with the reason beside.
nlohmann::json fit_json(const Fit& fit);

// Written whole or not at all.
void write_model(const std::filesystem::path& path, const Fit& fit, const Design& design);
// Throws Error naming the file for anything that is not a model file of a known version, with sizes that do not agree.
FittedModel read_model(const std::filesystem::path& path);

}  // namespace witan::mixtures
