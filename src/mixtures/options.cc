// Options of a fit.
#include "mixtures/options.h"

#include "base/error.h"
#include "mixtures/families.h"
#include "mixtures/network_model.h"
#include "mixtures/router.h"
#include "mixtures/start.h"
#include "mixtures/tree.h"

namespace witan::mixtures {

Fields FitOptions::fields() {
  constexpr double kHuge = 1e12;
  Fields fields("fit");
  fields
      .text("tree", tree,
            "Hierarchical gate: branches per level from the root down, such as 2x2; sets the number of experts")
      .choice("gate_kind", gate, {"softmax", "constant", "gaussian"}, "How the gate depends on its inputs")
      .choice("gate_covariance", gate_covariance, {"full", "diagonal", "spherical"},
              "Of the regions of a Gaussian gate")
      .choice("covariance", covariance, {"full", "diagonal"}, "Of several targets, within an expert")
      .flag("shared_variance", shared_variance, "One variance (or covariance) for all Gaussian experts")
      .choice("sigma_convention", sigma_convention, {"ml", "unbiased"},
              "Gaussian variances: maximum likelihood, or times n / (n - p) as flexmix has them")
      .real("gate_ridge", gate_ridge, 0.0, kHuge,
            "Penalty on the gate's slopes, half of it per squared standardised slope about their mean")
      .real("expert_ridge", expert_ridge, 0.0, kHuge,
            "The same for coefficients of logistic, multinomial and Poisson experts")
      .real("variance_floor", variance_floor, 1e-30, 1.0, "Least variance of an expert, as a share of the target's")
      .choice("router", router, router_names(), "The E-step")
      .choice("training", training, {"em", "gradient"}, "How runs climb; networks imply gradient")
      .text("gate_hidden", gate_hidden, "Hidden units of a gate that is a network, such as 16 or 16,8")
      .text("expert_hidden", expert_hidden, "Hidden units of experts that are networks")
      .choice("combine", combine, {"densities", "means"},
              "A mixture of the experts' densities, or one density about the blend of their outputs (Meta-Pi)")
      .text("stack", stack, "Mixture layers beneath a single expert, experts x width of each, such as 4x8,4x8")
      .real(
          "balance_margin", balance_margin, 0.0, kHuge,
          "Records by which a gate of the stack may have given an expert more than the mean, in the first half of the "
          "epochs; 0: as many as it likes")
      .real("network_ridge", network_ridge, 0.0, kHuge, "Penalty on networks, half of it per squared parameter")
      .integer("epochs", epochs, 0, 1'000'000, "Passes of Adam over the rows before L-BFGS, for networks")
      .integer("batch_rows", batch_rows, 1, std::int64_t{1} << 40, "Rows per step of Adam")
      .real("learning_rate", learning_rate, 1e-9, 1e3, "Of Adam's first steps")
      .integer("restarts", restarts, 0, 1'000'000, "Starts to try; 0: by the size of the data")
      .choice("start", start, start_names(), "How runs begin; auto takes turns")
      .integer("max_iterations", max_iterations, 1, 1'000'000'000, "EM iterations of a run at the most")
      .real("tolerance", tolerance, 1e-15, 1.0,
            "A run stops when less than this share of the objective is left to gain")
      .flag("polish", polish, "End with Newton's method and a certificate")
      .integer("seed", seed, 0, std::int64_t{1} << 53, "Decides the starts, and the draws of the stochastic router");
  return fields;
}

Fields FitOptions::all_fields() {
  Fields all("fit");
  all.integer("experts", experts, 1, kMaxExperts, "Number of experts")
      .choice("family", family, family_names(), "Conditional density of the experts")
      .include(fields());
  return all;
}

void FitOptions::validate() {
  if (!tree.empty()) {
    experts = Tree::parse(tree).leaves;
    if (gate != "softmax") fail("fit.tree: tree={} needs gate_kind=softmax, not gate_kind={}", tree, gate);
  }
  if (experts < 1 || experts > kMaxExperts) fail("fit.experts: {} experts; expected 1 to {}", experts, kMaxExperts);
  const FamilyInfo& info = find_family(family);
  parse_hidden("gate_hidden", gate_hidden);
  parse_hidden("expert_hidden", expert_hidden);
  if (!parse_stack(stack).empty() && experts != 1 && combine == "densities") {
    fail("fit.stack: a stack stands beneath one expert or one blend: give --experts 1, or --combine means");
  }
  if (has_network_gate(*this) && (gate != "softmax" || !tree.empty())) {
    fail("fit.gate_hidden: a gate that is a network is flat and softmax, not {}", tree.empty() ? gate : tree);
  }
  if (has_network_experts(*this) && shared_variance && combine == "densities" && experts > 1) {
    fail("fit.shared_variance: experts that are networks have variances of their own");
  }
  if (has_networks(*this)) training = "gradient";
  if (training == "gradient" && (router != "posterior" || sigma_convention != "ml")) {
    fail("fit.training: training=gradient climbs the likelihood: it needs router=posterior and sigma_convention=ml");
  }
  if (shared_variance && family != "gaussian") {
    fail("fit.shared_variance: family={} has no shared variance; only gaussian has", family);
  }
  if (sigma_convention == "unbiased" && family != "gaussian") {
    fail("fit.sigma_convention: sigma_convention=unbiased is for family=gaussian, not family={}", info.name);
  }
}

}  // namespace witan::mixtures
