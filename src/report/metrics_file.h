// metrics.jsonl as `witan train` writes it: one JSON object per line, told apart by "kind". Reads and checks it; what
// becomes of the numbers is report.cc's and time_series.h's job.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "base/file.h"
#include "report/json_field.h"

namespace witan {

// The routing of one layer in one step. Numbers that were absent are kMissing, here and below.
struct LayerMetrics {
  std::int64_t layer = 0;
  std::vector<double> load;  // rows per expert
  double max_over_mean = kMissing;
  double dropped_share = kMissing;
  double router_entropy = kMissing;
  double dead_experts = kMissing;
  double mean_z = kMissing;
};

// A line of kind "step".
struct StepMetrics {
  std::int64_t step = 0;
  double tokens = kMissing;
  double seconds = kMissing;
  double loss = kMissing;  // nats per token
  double bits_per_byte = kMissing;
  double learning_rate = kMissing;
  double gradient_norm = kMissing;
  double tokens_per_second = kMissing;
  double peak_memory_bytes = kMissing;
  std::map<std::string, double> balance;  // one value per balance term
  std::vector<LayerMetrics> layers;
};

// A line of kind "eval": held-out text.
struct EvalMetrics {
  struct Score {
    double loss = kMissing;  // nats per token
    double bits_per_byte = kMissing;
  };
  std::int64_t step = 0;
  Score all;
  std::map<std::string, Score> domains;
};

// The file, checked line by line when it is opened: throws Error "FILE:LINE: what was wrong". Steps that a resumed run
// went through again count once, as they were the last time. A last line that has no newline yet and is no whole
// object is taken for one that is still being written, and left out; lines of an unknown kind are left out too, so
// that files of later versions can be read.
class MetricsFile {
 public:
  explicit MetricsFile(const std::filesystem::path& path);

  std::int64_t num_steps() const { return static_cast<std::int64_t>(steps_.size()); }
  // Parsed at each call, so that a file larger than memory can be read.
  StepMetrics step(std::int64_t index) const;
  // In the order of their steps.
  const std::vector<EvalMetrics>& evals() const { return evals_; }
  // The last line of kind "run", or null when there is none. Earlier ones are from before a resume.
  nlohmann::json run() const;
  std::int64_t num_runs() const { return num_runs_; }

 private:
  struct Line {
    std::int64_t number = 0;  // from 1
    std::string_view text;
  };
  struct StepLine {
    std::int64_t step;
    Line line;
  };
  std::string where(const Line& line) const;
  void read(const Line& line, bool finished);
  void check_experts(const StepMetrics& metrics, const Line& line);

  std::string name_;
  MappedFile file_;
  std::vector<StepLine> steps_;
  std::vector<EvalMetrics> evals_;
  std::map<std::int64_t, std::size_t> experts_of_layer_;
  Line run_;
  std::int64_t num_runs_ = 0;
};

}  // namespace witan
