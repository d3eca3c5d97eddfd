// metrics.jsonl: one JSON object per line, appended as training goes and flushed line by line. Not its reader: see
// report/metrics_file.h.
#pragma once

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "training/step_report.h"

namespace witan {

// The lines, without their newline. Numbers that are not finite become null.
std::string run_line(const nlohmann::ordered_json& run);
std::string step_line(const StepReport& report);
std::string eval_line(std::int64_t step, const Evaluation& evaluation, const std::vector<std::string>& domains);

class MetricsLog {
 public:
  // Starts `file`, or, with `resume_at` >= 0, keeps what it holds up to that step and appends: lines of later steps,
  // written after the checkpoint that is resumed, go away, as does a last line that was cut off. Throws Error when the
  // file cannot be written.
  MetricsLog(const std::filesystem::path& file, std::int64_t resume_at);
  // Throws Error when the disk is full.
  void write(const std::string& line);

 private:
  std::filesystem::path path_;
  std::ofstream out_;
};

}  // namespace witan
