// Sizes in decimal gigabytes, as disks and bandwidths have them.
#include "witan/run_plan.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/error.h"

namespace witan::cli {
namespace {

std::string gigabytes(std::int64_t bytes) { return fmt::format("{:.2f} GB", static_cast<double>(bytes) / 1e9); }

std::string billions(std::int64_t count) { return fmt::format("{:.3f} billion", static_cast<double>(count) / 1e9); }

std::int64_t bytes_on_disk(const std::filesystem::path& folder) {
  std::int64_t bytes = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().extension() == ".safetensors") bytes += static_cast<std::int64_t>(entry.file_size());
  }
  return bytes;
}

}  // namespace

std::string memory_text(const RunPlan& plan, std::int64_t positions) {
  return fmt::format("{} for weights and {} for keys and values of {} positions", gigabytes(plan.weight_bytes),
                     gigabytes(plan.cache_bytes), positions);
}

void print_plan(const RunPlan& plan, const DecoderConfig& config, std::int64_t positions,
                const std::filesystem::path& folder) {
  const double bandwidth = read_bandwidth();
  const auto per_token = static_cast<double>(std::max<std::int64_t>(1, plan.bytes_per_token));
  fmt::print("architecture     {}\n", config.model_type);
  fmt::print("parameters       {}, of which {} work on a token\n", billions(plan.parameters.total),
             billions(plan.parameters.active));
  fmt::print("size on disk     {}\n", gigabytes(bytes_on_disk(folder)));
  fmt::print("memory           {}: {}\n", gigabytes(plan.total_bytes()), memory_text(plan, positions));
  fmt::print("context          {} positions at the most\n", config.max_positions());
  fmt::print("read per token   {}\n", gigabytes(plan.bytes_per_token));
  fmt::print("expected speed   at most {:.1f} tokens/s, since this machine reads {:.1f} GB/s\n", bandwidth / per_token,
             bandwidth / 1e9);
}

void require_memory(const RunPlan& plan, std::int64_t positions) {
  const std::int64_t available = available_memory();
  if (available < 0 || plan.total_bytes() <= available) return;
  fail(
      "generate: the model takes {} of memory, {}; {} are free. Close other programs, take a smaller model, or ask for "
      "fewer tokens (--max-tokens)",
      gigabytes(plan.total_bytes()), memory_text(plan, positions), gigabytes(available));
}

}  // namespace witan::cli
