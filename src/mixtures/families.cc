// The table of families. Targets are standardised, so that floors are shares of a target's spread.
#include "mixtures/families.h"

#include <array>
#include <cmath>

#include "base/error.h"
#include "base/suggest.h"
#include "mixtures/gamma_experts.h"
#include "mixtures/gaussian_experts.h"
#include "mixtures/laplace_experts.h"
#include "mixtures/options.h"
#include "mixtures/poisson_experts.h"
#include "mixtures/softmax_experts.h"
#include "mixtures/student_t_experts.h"

namespace witan::mixtures {
namespace {

Covariance covariance_of(const FitOptions& options) {
  return options.covariance == "full" ? Covariance::kFull : Covariance::kDiagonal;
}

std::unique_ptr<Experts> make_gaussian(const ExpertShape& shape, const FitOptions& options) {
  return std::make_unique<GaussianExperts>(
      shape.experts, shape.inputs, shape.outputs,
      GaussianOptions{covariance_of(options), options.shared_variance, options.variance_floor,
                      options.sigma_convention == "unbiased"});
}

std::unique_ptr<Experts> make_student_t(const ExpertShape& shape, const FitOptions& options) {
  return std::make_unique<StudentTExperts>(shape.experts, shape.inputs, shape.outputs, covariance_of(options),
                                           options.variance_floor);
}

std::unique_ptr<Experts> make_laplace(const ExpertShape& shape, const FitOptions& options) {
  return std::make_unique<LaplaceExperts>(shape.experts, shape.inputs, shape.outputs,
                                          std::sqrt(options.variance_floor));
}

std::unique_ptr<Experts> make_logistic(const ExpertShape& shape, const FitOptions& options) {
  if (shape.classes != 2) {
    fail("fit.family: family=logistic needs a target of two classes, and this one has {}; see family=multinomial",
         shape.classes);
  }
  return std::make_unique<SoftmaxExperts>(shape.experts, shape.inputs, 2, options.expert_ridge);
}

std::unique_ptr<Experts> make_multinomial(const ExpertShape& shape, const FitOptions& options) {
  return std::make_unique<SoftmaxExperts>(shape.experts, shape.inputs, shape.classes, options.expert_ridge);
}

std::unique_ptr<Experts> make_poisson(const ExpertShape& shape, const FitOptions& options) {
  return std::make_unique<PoissonExperts>(shape.experts, shape.inputs, options.expert_ridge);
}

std::unique_ptr<Experts> make_gamma(const ExpertShape& shape, const FitOptions& options) {
  return std::make_unique<GammaExperts>(shape.experts, shape.inputs, options.variance_floor);
}

const std::array<FamilyInfo, 7>& table() {
  static const std::array<FamilyInfo, 7> families = {{{"gaussian", TargetKind::kNumber, true, make_gaussian},
                                                      {"laplace", TargetKind::kNumber, true, make_laplace},
                                                      {"student_t", TargetKind::kNumber, true, make_student_t},
                                                      {"logistic", TargetKind::kClass, false, make_logistic},
                                                      {"multinomial", TargetKind::kClass, false, make_multinomial},
                                                      {"poisson", TargetKind::kCount, false, make_poisson},
                                                      {"gamma", TargetKind::kPositive, false, make_gamma}}};
  return families;
}

}  // namespace

const std::vector<std::string>& family_names() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> all;
    for (const FamilyInfo& family : table()) all.push_back(family.name);
    return all;
  }();
  return names;
}

const FamilyInfo& find_family(std::string_view name) {
  for (const FamilyInfo& family : table()) {
    if (family.name == name) return family;
  }
  std::string hint = suggestion(name, family_names());
  if (hint.empty()) hint = " (known: " + comma_list(family_names()) + ")";
  fail("fit.family: unknown family '{}'{}", name, hint);
}

}  // namespace witan::mixtures
