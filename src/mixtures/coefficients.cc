// Names and units. A coefficient is a function of the model's parameters; its standard error follows from the
// derivatives of that function, which are taken by differences: they are smooth and cost nothing.
#include "mixtures/coefficients.h"

#include <fmt/core.h>

#include <cmath>

#include "base/error.h"
#include "mixtures/distributions.h"
#include "mixtures/gaussian_gate.h"
#include "mixtures/softmax_gate.h"

namespace witan::mixtures {
namespace {

constexpr const char* kBeyondDouble = "beyond the range of numbers in these units; rescale the column";

class Namer {
 public:
  Namer(const Fit& fit, const Model& model) : fit_(fit), frame_(fit.frame), model_(model) {}

  std::vector<Coefficient> all() {
    if (const auto* gate = dynamic_cast<const SoftmaxGate*>(&model_.gate())) add_gate(*gate);
    if (const auto* gate = dynamic_cast<const GaussianGate*>(&model_.gate())) add_gate(*gate);
    for (int k = 0; k < model_.num_experts(); ++k) add_expert(k);
    return std::move(result_);
  }

 private:
  void add(const std::string& part, const std::string& target, const std::string& term, double estimate, bool linear) {
    Coefficient coefficient;
    coefficient.part = part;
    coefficient.target = target;
    coefficient.term = term;
    coefficient.estimate = estimate;
    coefficient.linear = linear;
    result_.push_back(std::move(coefficient));
  }

  // A linear predictor of standardised inputs, times `scale` plus `center`, as one of the inputs themselves.
  void add_linear(const std::string& part, const std::string& target, const double* values, bool intercept,
                  const std::vector<int>& inputs, const ColumnScale& scale) {
    const double* slopes = values + (intercept ? 1 : 0);
    if (intercept) {
      double constant = scale.center + scale.scale * values[0];
      for (std::size_t j = 0; j < inputs.size(); ++j) {
        const ColumnScale& of = frame_.column_scales[static_cast<std::size_t>(inputs[j])];
        constant -= scale.scale * slopes[j] * (of.center / of.scale);
      }
      add(part, target, "(intercept)", constant, true);
    }
    for (std::size_t j = 0; j < inputs.size(); ++j) {
      const auto column = static_cast<std::size_t>(inputs[j]);
      add(part, target, frame_.columns[column], scale.scale * slopes[j] / frame_.column_scales[column].scale, true);
    }
  }

  void add_gate(const SoftmaxGate& gate) {
    std::size_t head = 0;
    const Tree& tree = gate.tree();
    for (std::size_t i = 0; i < tree.nodes.size(); ++i) {
      for (int child = 1; child < tree.nodes[i].children(); ++child, ++head) {
        const std::string target = tree.nodes.size() == 1 ? fmt::format("expert {}", child + 1)
                                                          : fmt::format("node {} child {}", i + 1, child + 1);
        add_linear("gate", target, gate.parameters().data() + gate.heads()[head].offset, frame_.gate_intercept,
                   frame_.gate_inputs, {});
      }
    }
  }

  void add_gate(const GaussianGate& gate) {
    for (int k = 0; k < gate.num_experts(); ++k) {
      const std::string target = fmt::format("expert {}", k + 1);
      add("gate", target, "probability", gate.probability(k), false);
      const std::vector<double> mean = gate.mean(k);
      const Eigen::MatrixXd covariance = gate.covariance(k);
      for (std::size_t i = 0; i < mean.size(); ++i) {
        const ColumnScale& scale = gate_scale(i);
        add("gate", target, fmt::format("mean({})", gate_name(i)), scale.center + scale.scale * mean[i], false);
      }
      for (std::size_t i = 0; i < mean.size(); ++i) {
        for (std::size_t j = 0; j <= i; ++j) {
          if (i != j && fit_.options.gate_covariance != "full") continue;
          add("gate", target, fmt::format("cov({}, {})", gate_name(j), gate_name(i)),
              gate_scale(i).scale * gate_scale(j).scale *
                  covariance(static_cast<Eigen::Index>(i), static_cast<Eigen::Index>(j)),
              false);
        }
      }
    }
  }
  const ColumnScale& gate_scale(std::size_t i) const {
    return frame_.column_scales[static_cast<std::size_t>(frame_.gate_inputs[i])];
  }
  const std::string& gate_name(std::size_t i) const {
    return frame_.columns[static_cast<std::size_t>(frame_.gate_inputs[i])];
  }

  void add_expert(int k) {
    const Experts& experts = model_.experts();
    std::vector<double> scales;
    for (const ColumnScale& scale : frame_.target_scales) scales.push_back(scale.scale);
    const std::string part = fmt::format("expert {}", k + 1);
    std::size_t linear = 0;
    for (const int number : experts.heads_of(k)) {
      const Head& head = experts.heads()[static_cast<std::size_t>(number)];
      if (!head.linear) break;
      const bool classes = frame_.target_kind == TargetKind::kClass;
      const std::string target = classes                     ? frame_.classes[linear + 1]
                                 : frame_.targets.size() > 1 ? frame_.targets[linear]
                                                             : "";
      add_linear(part, target, experts.parameters().data() + head.offset, frame_.expert_intercept, frame_.expert_inputs,
                 classes ? ColumnScale{} : predictor_scale(frame_.target_scales[linear]));
      ++linear;
    }
    for (const ShapeValue& value : experts.shape(k, scales, frame_.targets)) {
      add(part, "", value.name, value.value, false);
    }
  }

  // From the linear predictor of a standardised target to that of the target itself; a logarithm's shifts.
  ColumnScale predictor_scale(const ColumnScale& target) const {
    if (frame_.target_kind != TargetKind::kPositive) return target;
    return {std::log(target.scale), 1.0};
  }

  const Fit& fit_;
  const Frame& frame_;
  const Model& model_;
  std::vector<Coefficient> result_;
};

Eigen::VectorXd estimates(const Fit& fit, const Model& model) {
  const std::vector<Coefficient> named = Namer(fit, model).all();
  Eigen::VectorXd values(static_cast<Eigen::Index>(named.size()));
  for (std::size_t i = 0; i < named.size(); ++i) values(static_cast<Eigen::Index>(i)) = named[i].estimate;
  return values;
}

}  // namespace

std::optional<double> Coefficient::z() const {
  if (!linear || !standard_error || *standard_error <= 0.0) return std::nullopt;
  return estimate / *standard_error;
}

std::optional<double> Coefficient::p_value() const {
  const std::optional<double> value = z();
  if (!value) return std::nullopt;
  return 2.0 * normal_cdf(-std::fabs(*value));
}

std::vector<Coefficient> coefficients(const Fit& fit) {
  std::vector<Coefficient> result = Namer(fit, *fit.model).all();
  const Eigen::MatrixXd& covariance = fit.certificate.covariance;
  if (covariance.size() == 0) {
    for (Coefficient& coefficient : result) {
      coefficient.reason = !std::isfinite(coefficient.estimate) ? kBeyondDouble
                           : fit.certificate.reason.empty()     ? "no observed information"
                                                                : fit.certificate.reason;
    }
    return result;
  }
  const Eigen::VectorXd at = fit.model->parameters();
  const std::unique_ptr<Model> model = make_model(fit.frame, fit.options);
  Eigen::MatrixXd jacobian(static_cast<Eigen::Index>(result.size()), at.size());
  for (Eigen::Index i = 0; i < at.size(); ++i) {
    // Central differences of order 4; a thousandth leaves them exact to some twelve digits.
    const double step = 1e-3;
    Eigen::VectorXd moved = at;
    const auto value = [&](double distance) {
      moved(i) = at(i) + distance * step;
      model->set_parameters(moved);
      return estimates(fit, *model);
    };
    jacobian.col(i) = (8.0 * (value(1.0) - value(-1.0)) - (value(2.0) - value(-2.0))) / (12.0 * step);
  }
  for (std::size_t i = 0; i < result.size(); ++i) {
    // Squares of what the user's units make of it may be beyond double.
    const Eigen::VectorXd row = jacobian.row(static_cast<Eigen::Index>(i)).transpose();
    const double size = row.cwiseAbs().maxCoeff();
    const Eigen::VectorXd scaled = row / size;
    const double error = size * std::sqrt(scaled.dot(covariance * scaled));
    if (!std::isfinite(result[i].estimate) || !std::isfinite(size)) {
      result[i].reason = kBeyondDouble;
    } else if (error > 0.0 && std::isfinite(error)) {
      result[i].standard_error = error;
    } else {
      result[i].reason = "held at a bound";
    }
  }
  return result;
}

}  // namespace witan::mixtures
