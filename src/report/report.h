// The report of a training run: what its run folder holds, as one HTML page that needs nothing else to be read.
// Not a plotting library: the page is built from web/ and embedded in the program; this folder feeds it its data.
#pragma once

#include <filesystem>
#include <nlohmann/json_fwd.hpp>

namespace witan {

// Reads RUN/metrics.jsonl and, where present, RUN/analysis.json and RUN/settings.json, and writes the page to `output`,
// whole or not at all. Throws Error naming file and line for anything that is missing or broken.
void write_report(const std::filesystem::path& run_folder, const std::filesystem::path& output);

// What the page shows, as the JSON object that web/src/report/data.ts describes. A long run is thinned: each point is
// then the mean of a stretch of steps, so the size is bounded by layers × experts, never by the length of the run.
nlohmann::json report_data(const std::filesystem::path& run_folder);

}  // namespace witan
