// A comparison of routers: what each of its runs came to, gathered into one table, one JSON object and one page. Knows
// the files, not the code that wrote them.
#pragma once

#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>

namespace witan {

struct ComparedRun {
  std::string label;              // the candidate; runs of several seeds share it
  std::filesystem::path result;   // JSON object: see comparison_data
  std::filesystem::path metrics;  // metrics.jsonl of the run
};

// A result holds "seed", "bits_per_byte", "loss" (held-out, null when the run diverged), "tokens_per_second",
// "parameters" {"total", "active"}, "routing" {"microseconds_per_row", "share"}, and "diverged" (a text) or null.
// -> {"name", "candidates": [...]}, in the order in which labels first appear: means over seeds, their deviation
// (n - 1; null for one seed), and curves over the steps, thinned. Load, entropy and the like are means over the mixture
// layers and over the last quarter of the steps. Throws Error naming file and line for what is missing or broken.
nlohmann::json comparison_data(const std::string& name, std::span<const ComparedRun> runs);

// The table for a terminal, best held-out bits per byte first.
std::string comparison_table(const nlohmann::json& data);

// web/src/comparison, filled: FOLDER/comparison.html, and the data alone as FOLDER/comparison.json.
void write_comparison(const nlohmann::json& data, const std::filesystem::path& folder);

}  // namespace witan
