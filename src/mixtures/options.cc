// Options of a fit.
#include "mixtures/options.h"

#include "base/error.h"
#include "mixtures/families.h"
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
      .real("expert_ridge", expert_ridge, 0.0, kHuge, "The same for coefficients of logistic and Poisson experts")
      .real("variance_floor", variance_floor, 1e-30, 1.0, "Least variance of an expert, as a share of the target's")
      .choice("router", router, router_names(), "The E-step")
      .integer("restarts", restarts, 0, 1'000'000, "Starts to try; 0: by the size of the data")
      .choice("start", start, start_names(), "How runs begin; auto takes turns")
      .integer("max_iterations", max_iterations, 1, 1'000'000'000, "EM iterations of a run at the most")
      .real("tolerance", tolerance, 1e-15, 1.0,
            "A run stops when less than this share of the objective is left to gain")
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
  if (shared_variance && family != "gaussian") {
    fail("fit.shared_variance: family={} has no shared variance; only gaussian has", family);
  }
  if (sigma_convention == "unbiased" && family != "gaussian") {
    fail("fit.sigma_convention: sigma_convention=unbiased is for family=gaussian, not family={}", info.name);
  }
}

}  // namespace witan::mixtures
