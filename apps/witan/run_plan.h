// What running a model takes, in words.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "inference/plan.h"

namespace witan::cli {

// "1.20 GB for weights and 0.01 GB for keys and values of 512 positions"
std::string memory_text(const RunPlan& plan, std::int64_t positions);
// The whole plan with the size on disk and the speed that this machine's memory allows, to standard output.
// max_positions: of the model's context; 0: it has no end.
void print_plan(const RunPlan& plan, const std::string& model_type, std::int64_t max_positions, std::int64_t positions,
                const std::filesystem::path& folder);
// Throws Error, with what would help, when less memory is free.
void require_memory(const RunPlan& plan, std::int64_t positions);

}  // namespace witan::cli
