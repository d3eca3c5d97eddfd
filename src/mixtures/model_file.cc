// Model files, version 1. Parameters are those of the model on standardised columns, with the standardisation beside
// them.
#include "mixtures/model_file.h"

#include <cmath>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "mixtures/coefficients.h"
#include "mixtures/network_model.h"

namespace witan::mixtures {
namespace {

using Json = nlohmann::json;

constexpr const char* kFormat = "witan-mixture";
constexpr int kVersion = 1;

Json number(double value) { return std::isfinite(value) ? Json(value) : Json(nullptr); }
template <class Optional>
Json number_or_null(const Optional& value) {
  return value ? number(*value) : Json(nullptr);
}

Json scales_json(const std::vector<ColumnScale>& scales) {
  Json list = Json::array();
  for (const ColumnScale& scale : scales) list.push_back({{"center", scale.center}, {"scale", scale.scale}});
  return list;
}

Json frame_json(const Frame& frame) {
  return {{"columns", frame.columns},
          {"column_scales", scales_json(frame.column_scales)},
          {"expert_inputs", frame.expert_inputs},
          {"gate_inputs", frame.gate_inputs},
          {"expert_intercept", frame.expert_intercept},
          {"gate_intercept", frame.gate_intercept},
          {"targets", frame.targets},
          {"target_scales", scales_json(frame.target_scales)},
          {"classes", frame.classes}};
}

Json design_json(const Design& design) {
  Json columns = Json::array();
  for (const DesignColumn& column : design.columns) {
    Json factors = Json::array();
    for (const DesignFactor& factor : column.factors) {
      Json one = {{"column", factor.column}, {"function", factor.function}, {"power", factor.power}};
      if (factor.level) one["level"] = *factor.level;
      factors.push_back(std::move(one));
    }
    columns.push_back({{"name", column.name}, {"factors", std::move(factors)}});
  }
  Json categories = Json::array();
  for (const Category& category : design.categories) {
    categories.push_back({{"column", category.column}, {"levels", category.levels}});
  }
  return {{"columns", std::move(columns)}, {"categories", std::move(categories)}, {"targets", design.targets}};
}

std::vector<ColumnScale> read_scales(const Json& list, const std::string& where) {
  std::vector<ColumnScale> scales;
  for (const Json& one : list) {
    scales.push_back({one.at("center").get<double>(), one.at("scale").get<double>()});
    if (!(scales.back().scale > 0.0)) fail("{}: a scale of {}, expected more than 0", where, scales.back().scale);
  }
  return scales;
}

Frame read_frame(const Json& json, const std::string& where) {
  Frame frame;
  frame.columns = json.at("columns").get<std::vector<std::string>>();
  frame.column_scales = read_scales(json.at("column_scales"), where);
  frame.expert_inputs = json.at("expert_inputs").get<std::vector<int>>();
  frame.gate_inputs = json.at("gate_inputs").get<std::vector<int>>();
  frame.expert_intercept = json.at("expert_intercept").get<bool>();
  frame.gate_intercept = json.at("gate_intercept").get<bool>();
  frame.targets = json.at("targets").get<std::vector<std::string>>();
  frame.target_scales = read_scales(json.at("target_scales"), where);
  frame.classes = json.at("classes").get<std::vector<std::string>>();
  if (frame.columns.size() != frame.column_scales.size() || frame.targets.empty() ||
      frame.targets.size() != frame.target_scales.size()) {
    fail("{}: columns, targets and their scales do not agree", where);
  }
  for (const std::vector<int>* inputs : {&frame.expert_inputs, &frame.gate_inputs}) {
    for (const int input : *inputs) {
      if (input < 0 || input >= std::ssize(frame.columns)) {
        fail("{}: input {} of {} columns", where, input, frame.columns.size());
      }
    }
  }
  return frame;
}

Design read_design(const Json& json) {
  Design design;
  for (const Json& column : json.at("columns")) {
    DesignColumn one{column.at("name").get<std::string>(), {}};
    for (const Json& factor : column.at("factors")) {
      DesignFactor read{factor.at("column").get<std::string>(), factor.at("function").get<std::string>(),
                        factor.at("power").get<double>(), std::nullopt};
      if (factor.contains("level")) read.level = factor.at("level").get<std::string>();
      one.factors.push_back(std::move(read));
    }
    design.columns.push_back(std::move(one));
  }
  for (const Json& category : json.at("categories")) {
    design.categories.push_back(
        {category.at("column").get<std::string>(), category.at("levels").get<std::vector<std::string>>()});
  }
  design.targets = json.at("targets").get<std::vector<std::string>>();
  return design;
}

FittedModel read_fields(const Json& json, const std::string& where) {
  if (!json.is_object() || json.value("format", "") != kFormat) {
    fail("{}: not a model of `witan fit` (its \"format\" is not \"{}\")", where, kFormat);
  }
  const int version = json.at("version").get<int>();
  if (version != kVersion)
    fail("{}: version {} of the format; this program knows version {}", where, version, kVersion);
  FittedModel fitted;
  fitted.options.all_fields().set_all(json.at("options"));
  fitted.options.validate();
  fitted.frame = read_frame(json.at("frame"), where);
  fitted.frame.target_kind = find_family(fitted.options.family).target;
  fitted.design = read_design(json.at("design"));
  if (fitted.design.columns.size() != fitted.frame.columns.size()) {
    fail("{}: {} design columns and {} columns", where, fitted.design.columns.size(), fitted.frame.columns.size());
  }
  // Before a model of that size is made.
  const auto parameters = json.at("parameters").get<std::vector<double>>();
  const auto experts = static_cast<double>(fitted.options.experts);
  const bool classes = fitted.frame.target_kind == TargetKind::kClass;
  const double outputs = static_cast<double>(classes ? fitted.frame.classes.size() : fitted.frame.targets.size());
  const bool networks = has_networks(fitted.options);
  const double least = networks ? least_network_parameters(fitted.options)
                                : (experts - 1.0) * static_cast<double>(fitted.options.gate == "gaussian"
                                                                            ? 1
                                                                            : fitted.frame.gate_input_names().size()) +
                                      experts * static_cast<double>(fitted.frame.expert_input_names().size()) *
                                          (classes ? outputs - 1.0 : outputs);
  if (least > static_cast<double>(parameters.size())) {
    fail("{}: {} parameters are too few for {} experts", where, parameters.size(), fitted.options.experts);
  }
  fitted.model = make_model(fitted.frame, fitted.options);
  const Eigen::Index expected = fitted.model->parameters().size();
  if (expected != std::ssize(parameters)) {
    fail("{}: {} parameters, expected {}", where, parameters.size(), expected);
  }
  fitted.model->set_parameters(Eigen::Map<const Eigen::VectorXd>(parameters.data(), expected));
  return fitted;
}

}  // namespace

Json fit_json(const Fit& fit) {
  Json json;
  json["family"] = fit.options.family;
  json["experts"] = fit.options.experts;
  json["gate"] = fit.options.gate;
  json["rows"] = fit.rows;
  json["log_likelihood"] = number(fit.log_likelihood);
  json["joint_log_likelihood"] = number(fit.joint_log_likelihood);
  json["objective"] = number(fit.objective);
  json["df"] = fit.df;
  json["aic"] = number(fit.aic);
  json["bic"] = number(fit.bic);
  json["icl"] = number(fit.icl);
  json["entropy"] = number(fit.entropy);
  json["formulas"] = {{"aic", "-2 L + 2 df"},
                      {"bic", "-2 L + df log n"},
                      {"icl", "-2 sum log max_k w_k f_k + df log n"},
                      {"L", fit.model->gate().joint() ? "joint_log_likelihood" : "log_likelihood"}};
  json["sizes"] = fit.sizes;
  json["members"] = fit.members;
  json["converged"] = fit.converged;
  json["degenerate"] = fit.degenerate;
  json["degenerate_reason"] = fit.degenerate_reason;
  json["notes"] = fit.notes;
  json["parameters"] = Json::array();
  for (const Coefficient& coefficient : coefficients(fit)) {
    Json one = {{"part", coefficient.part},
                {"target", coefficient.target},
                {"term", coefficient.term},
                {"estimate", number(coefficient.estimate)},
                {"standard_error", number_or_null(coefficient.standard_error)},
                {"z", number_or_null(coefficient.z())},
                {"p_value", number_or_null(coefficient.p_value())}};
    if (!coefficient.standard_error) one["reason"] = coefficient.reason;
    if (coefficient.part == "gate" && coefficient.linear) one["odds_ratio"] = number(std::exp(coefficient.estimate));
    json["parameters"].push_back(std::move(one));
  }
  json["restarts"] = Json::array();
  for (const Restart& restart : fit.restarts) {
    json["restarts"].push_back({{"number", restart.number + 1},
                                {"start", restart.start},
                                {"objective", number(restart.objective)},
                                {"iterations", restart.iterations},
                                {"finished", restart.finished},
                                {"degenerate", restart.degenerate},
                                {"note", restart.note}});
  }
  const Certificate& certificate = fit.certificate;
  json["certificate"] = {
      {"maximum", certificate.maximum},
      {"gradient_norm", certificate.gradient_norm < 0.0 ? Json(nullptr) : number(certificate.gradient_norm)},
      {"smallest_eigenvalue", certificate.has_hessian ? number(certificate.smallest_eigenvalue) : Json(nullptr)},
      {"newton_steps", certificate.newton_steps},
      {"monotone", fit.monotone},
      {"reason", certificate.reason}};
  json["history"] = Json::array();
  for (const double value : fit.history) json["history"].push_back(number(value));
  return json;
}

void write_model(const std::filesystem::path& path, const Fit& fit, const Design& design) {
  FitOptions options = fit.options;
  const Eigen::VectorXd parameters = fit.model->parameters();
  Json json = {{"format", kFormat},
               {"version", kVersion},
               {"options", options.all_fields().to_json()},
               {"frame", frame_json(fit.frame)},
               {"design", design_json(design)},
               {"parameters", std::vector<double>(parameters.begin(), parameters.end())},
               {"fit", fit_json(fit)}};
  write_file(path, json.dump(1) + "\n");
}

FittedModel read_model(const std::filesystem::path& path) {
  const std::string where = path.string();
  const Json json = read_json_file(path);
  try {
    return read_fields(json, where);
  } catch (const Json::exception& error) {
    fail("{}: a field is missing or of another type: {}", where, error.what());
  }
}

}  // namespace witan::mixtures
