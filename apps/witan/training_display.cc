// Lines and tables for people.
#include "witan/training_display.h"

#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <csignal>
#include <iostream>

#include "base/error.h"
#include "witan/terminal_text.h"

namespace witan::cli {
namespace {

// Domains are named after files, whose names may hold anything.
std::vector<std::string> shown_names(const std::vector<std::string>& domains) {
  std::vector<std::string> names;
  for (const std::string& domain : domains) names.push_back(on_one_line(domain));
  return names;
}

std::size_t widest(const std::vector<std::string>& names) {
  std::size_t width = 6;
  for (const std::string& name : names) width = std::max(width, name.size());
  return width;
}

ProgressOptions clocked_by(const double& seconds) {
  ProgressOptions options = stderr_progress();
  options.now = [&seconds] { return seconds; };
  return options;
}

}  // namespace

ProgressOptions stderr_progress() {
  ProgressOptions options;
  options.out = &std::cerr;
  options.terminal = is_terminal(STDERR_FILENO);
  options.columns = terminal_columns(STDERR_FILENO);
  return options;
}

void outlive_readers() { static_cast<void>(std::signal(SIGPIPE, SIG_IGN)); }

TrainingDisplay::TrainingDisplay(std::int64_t first_tokens)
    : progress_("train", 0, clocked_by(step_seconds_), "k tokens", 1e3), first_tokens_(first_tokens) {}

void TrainingDisplay::on_step(const StepReport& report, double progress, double seconds_left) {
  const std::string left = seconds_left >= 0.0 ? fmt::format("{} left, ", duration_text(seconds_left)) : "";
  const std::string load = report.metrics.empty() ? "" : fmt::format(", load {:.2f}", report.worst_load());
  const std::int64_t tokens = report.tokens - first_tokens_;
  step_seconds_ += static_cast<double>(tokens - shown_tokens_) / report.tokens_per_second;
  shown_tokens_ = tokens;
  progress_.update(tokens, fmt::format("{:.0f} %, {}{:.3f} bits/byte, loss {:.3f}{}", std::floor(100.0 * progress),
                                       left, report.bits_per_byte, report.loss, load));
}

void TrainingDisplay::on_evaluation(std::int64_t step, const Evaluation& evaluation) {
  evaluation_ = evaluation;
  if (evaluating_) evaluating_->finish();
  evaluating_.reset();
  progress_.message(fmt::format("step {}: held-out {:.4f} bits/byte, loss {:.4f}", step,
                                evaluation.overall.bits_per_byte(), evaluation.overall.loss()));
}

void TrainingDisplay::on_evaluated(std::int64_t done, std::int64_t total) {
  if (!evaluating_) evaluating_ = std::make_unique<Progress>("evaluate", total, stderr_progress(), "k tokens", 1e3);
  evaluating_->update(done);
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
  const std::vector<std::string> names = shown_names(domains);
  const std::size_t width = widest(names);
  std::string table =
      fmt::format("{:<{}}  {:>10}  {:>13}  {:>10}\n", "domain", width, "bits/byte", "nats/token", "bytes");
  const auto row = [&](const std::string& name, const DomainLoss& loss) {
    table += fmt::format("{:<{}}  {:>10.4f}  {:>13.4f}  {:>10}\n", name, width, loss.bits_per_byte(), loss.loss(),
                         loss.bytes);
  };
  for (std::size_t d = 0; d < domains.size(); ++d) {
    if (evaluation.domains[d].tokens > 0) row(names[d], evaluation.domains[d]);
  }
  row("all", evaluation.overall);
  return table;
}

std::string expert_table(const LayerAnalysis& layer, const std::vector<std::string>& domains) {
  const std::vector<std::string> names = shown_names(domains);
  const std::size_t width = widest(names);
  std::string table = fmt::format("{:<{}}", "% of rows to expert", width);
  table += "\n" + std::string(width, ' ');
  for (std::size_t e = 0; e < layer.load.size(); ++e) table += fmt::format("{:>4}", e);
  table += '\n';
  const auto row = [&](const std::string& name, const std::vector<double>& shares) {
    table += fmt::format("{:<{}}", name, width);
    for (const double share : shares) table += fmt::format("{:>4.0f}", 100.0 * share);
    table += '\n';
  };
  for (std::size_t d = 0; d < domains.size(); ++d) row(names[d], layer.load_by_domain[d]);
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
