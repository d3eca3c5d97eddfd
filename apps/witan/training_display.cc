// Lines and tables for people.
#include "witan/training_display.h"

#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <iostream>

#include "base/error.h"

namespace witan::cli {
namespace {

std::size_t widest(const std::vector<std::string>& names) {
  std::size_t width = 6;
  for (const std::string& name : names) width = std::max(width, name.size());
  return width;
}

}  // namespace

ProgressOptions stderr_progress() {
  ProgressOptions options;
  options.out = &std::cerr;
  options.terminal = is_terminal(STDERR_FILENO);
  options.columns = terminal_columns(STDERR_FILENO);
  return options;
}

TrainingDisplay::TrainingDisplay(std::int64_t first_tokens)
    : progress_("train", 0, stderr_progress(), "k tokens", 1e3), first_tokens_(first_tokens) {}

void TrainingDisplay::on_step(const StepReport& report, double progress, double seconds_left) {
  const std::string left = seconds_left >= 0.0 ? fmt::format("{} left, ", duration_text(seconds_left)) : "";
  const std::string load = report.metrics.empty() ? "" : fmt::format(", load {:.2f}", report.worst_load());
  progress_.update(report.tokens - first_tokens_,
                   fmt::format("{:.0f} %, {}{:.3f} bits/byte, loss {:.3f}{}", std::floor(100.0 * progress), left,
                               report.bits_per_byte, report.loss, load));
}

void TrainingDisplay::on_evaluation(std::int64_t step, const Evaluation& evaluation) {
  evaluation_ = evaluation;
  progress_.message(fmt::format("step {}: held-out {:.4f} bits/byte, loss {:.4f}", step,
                                evaluation.overall.bits_per_byte(), evaluation.overall.loss()));
}

void TrainingDisplay::on_checkpoint(std::int64_t step) { progress_.message(fmt::format("step {}: saved", step)); }

void TrainingDisplay::finish() { progress_.finish(); }

void say(const std::string& line) {
  fmt::print("{}\n", line);
  std::fflush(stdout);
}

std::string size_text(double bytes) {
  if (bytes >= 1e9) return fmt::format("{:.2f} GB", bytes / 1e9);
  if (bytes >= 1e6) return fmt::format("{:.1f} MB", bytes / 1e6);
  return bytes >= 1e3 ? fmt::format("{:.1f} kB", bytes / 1e3) : fmt::format("{:.0f} B", bytes);
}

std::string counts_text(const ParameterCounts& counts) {
  const auto text = [](std::int64_t count) {
    if (count >= 1'000'000'000) return fmt::format("{:.2f} G", static_cast<double>(count) / 1e9);
    return count >= 1'000'000 ? fmt::format("{:.1f} M", static_cast<double>(count) / 1e6)
                              : fmt::format("{:.1f} k", static_cast<double>(count) / 1e3);
  };
  return fmt::format("{} parameters, {} of them active per token", text(counts.total), text(counts.active));
}

std::string evaluation_table(const Evaluation& evaluation, const std::vector<std::string>& domains) {
  const std::size_t width = widest(domains);
  std::string table =
      fmt::format("{:<{}}  {:>10}  {:>13}  {:>10}\n", "domain", width, "bits/byte", "nats/token", "bytes");
  const auto row = [&](const std::string& name, const DomainLoss& loss) {
    table += fmt::format("{:<{}}  {:>10.4f}  {:>13.4f}  {:>10}\n", name, width, loss.bits_per_byte(), loss.loss(),
                         loss.bytes);
  };
  for (std::size_t d = 0; d < domains.size(); ++d) {
    if (evaluation.domains[d].tokens > 0) row(domains[d], evaluation.domains[d]);
  }
  row("all", evaluation.overall);
  return table;
}

std::string expert_table(const LayerAnalysis& layer, const std::vector<std::string>& domains) {
  const std::size_t width = widest(domains);
  std::string table = fmt::format("{:<{}}", "% of rows to expert", width);
  table += "\n" + std::string(width, ' ');
  for (std::size_t e = 0; e < layer.load.size(); ++e) table += fmt::format("{:>4}", e);
  table += '\n';
  const auto row = [&](const std::string& name, const std::vector<double>& shares) {
    table += fmt::format("{:<{}}", name, width);
    for (const double share : shares) table += fmt::format("{:>4.0f}", 100.0 * share);
    table += '\n';
  };
  for (std::size_t d = 0; d < domains.size(); ++d) row(domains[d], layer.load_by_domain[d]);
  row("all", layer.load);
  return table;
}

double mutual_information(const LayerAnalysis& layer) {
  double sum = 0.0;
  const auto domains = static_cast<double>(layer.load_by_domain.size());
  for (std::size_t e = 0; e < layer.load.size(); ++e) {
    double mean = 0.0;
    for (const std::vector<double>& row : layer.load_by_domain) mean += row[e] / domains;
    for (const std::vector<double>& row : layer.load_by_domain) {
      if (row[e] > 0.0) sum += row[e] / domains * std::log(row[e] / mean);
    }
  }
  return sum;
}

}  // namespace witan::cli
