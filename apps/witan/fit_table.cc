// A fitted mixture as text for the terminal.
#include "witan/fit_table.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "mixtures/coefficients.h"
#include "mixtures/fit.h"
#include "witan/terminal_text.h"

namespace witan::cli {
namespace {

constexpr std::size_t kShownRestarts = 8;

std::string cell(const std::optional<double>& value, const char* missing) {
  return value ? fmt::format("{:.6g}", *value) : missing;
}

// Fixed decimals, or ten digits where the number is so large that decimals are noise.
std::string likelihood(double value) {
  return std::fabs(value) < 1e12 ? fmt::format("{:.8f}", value) : fmt::format("{:.10g}", value);
}
std::string criterion(double value) {
  return std::fabs(value) < 1e12 ? fmt::format("{:.6f}", value) : fmt::format("{:.10g}", value);
}
std::string z_text(double z) { return std::fabs(z) < 1e5 ? fmt::format("{:.2f}", z) : fmt::format("{:.1e}", z); }

std::string coefficient_table(const mixtures::Fit& fit) {
  const std::vector<mixtures::Coefficient> table = mixtures::coefficients(fit);
  std::vector<std::string> terms;
  std::size_t width = 4;
  for (const mixtures::Coefficient& c : table) {
    terms.push_back(on_one_line(c.target.empty() ? c.term : c.target + ": " + c.term));
    width = std::max(width, terms.back().size());
  }
  std::string text = fmt::format("\n{:<10} {:<{}} {:>12} {:>12} {:>8} {:>9}\n", "part", "term", width, "estimate",
                                 "std. error", "z", "p");
  std::set<std::string> reasons;
  auto term = terms.begin();
  for (const mixtures::Coefficient& c : table) {
    const std::optional<double> z = c.z();
    const std::optional<double> p = c.p_value();
    text += fmt::format("{:<10} {:<{}} {:>12.6g} {:>12} {:>8} {:>9}\n", c.part, *term++, width, c.estimate,
                        cell(c.standard_error, "NA"), z ? z_text(*z) : "", p ? fmt::format("{:.2g}", *p) : "");
    if (!c.standard_error) reasons.insert(c.reason);
  }
  for (const std::string& reason : reasons) text += fmt::format("NA: {}\n", reason);
  return text;
}

std::string restart_table(const mixtures::Fit& fit) {
  std::string text = fmt::format("\n{:>5} {:<12} {:>16} {:>10}\n", "run", "start", "objective", "iterations");
  for (std::size_t i = 0; i < std::min(kShownRestarts, fit.restarts.size()); ++i) {
    const mixtures::Restart& run = fit.restarts[i];
    text += fmt::format("{:>5} {:<12} {:>16.8g} {:>10}{}{}{}\n", run.number + 1, run.start, run.objective,
                        run.iterations, run.finished ? "" : "  short run", run.degenerate ? "  degenerate" : "",
                        run.note.empty() ? "" : "  " + run.note);
  }
  if (fit.restarts.size() > kShownRestarts)
    text += fmt::format("      and {} more\n", fit.restarts.size() - kShownRestarts);
  return text;
}

}  // namespace

std::string fit_table(const mixtures::Fit& fit) {
  const bool joint = fit.model->gate().joint();
  std::string text = fmt::format("{} {} expert{}, {} gate, {:.10g} rows\n", fit.options.experts, fit.options.family,
                                 fit.options.experts == 1 ? "" : "s",
                                 fit.options.tree.empty() ? fit.options.gate : fit.options.tree + " tree", fit.rows);
  text += fmt::format("log-likelihood {}{}", likelihood(fit.log_likelihood),
                      joint ? " of the target given the inputs" : "");
  if (joint) text += fmt::format(", {} of both", likelihood(fit.joint_log_likelihood));
  text +=
      fmt::format(", df {}\nAIC {} (-2 L + 2 df)  BIC {} (-2 L + df log n)  ICL {} (-2 sum log max w f + df log n)\n",
                  fit.df, criterion(fit.aic), criterion(fit.bic), criterion(fit.icl));
  text += "records by expert:";
  for (std::size_t k = 0; k < fit.sizes.size(); ++k) text += fmt::format(" {:.1f} ({})", fit.sizes[k], fit.members[k]);
  text += "\n" + coefficient_table(fit) + restart_table(fit) + "\n";
  const mixtures::Certificate& certificate = fit.certificate;
  if (certificate.maximum) {
    const bool drawn = fit.options.router == "stochastic";
    const char* const steps = drawn          ? "reached by Newton's method from the best of the drawn steps"
                              : fit.monotone ? "every step rose"
                                             : "NOT every step rose";
    text += fmt::format("certificate: a maximum: gradient {:.2g}, smallest curvature {:.3g}, {}\n",
                        certificate.gradient_norm, certificate.smallest_eigenvalue, steps);
  } else {
    text += fmt::format("certificate: none: {}{}\n", certificate.reason,
                        fit.converged ? "; EM converged" : "; EM did NOT converge");
  }
  if (fit.degenerate) text += fmt::format("DEGENERATE: {}\n", fit.degenerate_reason);
  for (const std::string& note : fit.notes) text += fmt::format("note: {}\n", on_one_line(note));
  return text;
}

std::string selection_line(const mixtures::Fit& fit) {
  return fmt::format("{:<12} {:>3} experts  L {:>14.6f}  df {:>4}  AIC {:>14.4f}  BIC {:>14.4f}  ICL {:>14.4f}{}\n",
                     fit.options.family, fit.options.experts, fit.log_likelihood, fit.df, fit.aic, fit.bic, fit.icl,
                     fit.degenerate ? "  degenerate" : "");
}

}  // namespace witan::cli
