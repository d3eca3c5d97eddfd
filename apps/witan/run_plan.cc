// Sizes in decimal units, as disks and bandwidths have them.
#include "witan/run_plan.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/error.h"
#include "witan/training_display.h"

namespace witan::cli {
namespace {

std::string size_of(std::int64_t bytes) { return size_text(static_cast<double>(bytes)); }

std::int64_t bytes_on_disk(const std::filesystem::path& folder) {
  std::int64_t bytes = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().extension() == ".safetensors") bytes += static_cast<std::int64_t>(entry.file_size());
  }
  return bytes;
}

}  // namespace

std::string memory_text(const RunPlan& plan, std::int64_t positions) {
  const std::string pass = plan.pass_bytes > 0 ? fmt::format(", {} while it reads", size_of(plan.pass_bytes)) : "";
  return fmt::format("{} for weights and {} for keys and values of {} positions{}", size_of(plan.weight_bytes),
                     size_of(plan.cache_bytes), positions, pass);
}

void print_plan(const RunPlan& plan, const std::string& model_type, std::int64_t max_positions, std::int64_t positions,
                const std::filesystem::path& folder) {
  const double bandwidth = read_bandwidth();
  const auto per_token = static_cast<double>(std::max<std::int64_t>(1, plan.bytes_per_token));
  fmt::print("architecture     {}\n", model_type);
  fmt::print("size             {}\n", counts_text(plan.parameters));
  fmt::print("on disk          {}\n", size_of(bytes_on_disk(folder)));
  fmt::print("memory           {}: {}\n", size_of(plan.total_bytes()), memory_text(plan, positions));
  if (max_positions > 0) fmt::print("context          {} positions at the most\n", max_positions);
  fmt::print("read per token   {}\n", size_of(plan.bytes_per_token));
  fmt::print("expected speed   at most {:.1f} tokens/s, since this machine reads {:.1f} GB/s\n", bandwidth / per_token,
             bandwidth / 1e9);
}

void require_memory(const RunPlan& plan, std::int64_t positions) {
  const std::int64_t available = available_memory();
  if (available < 0 || plan.total_bytes() <= available) return;
  fail(
      "generate: the model takes {} of memory, {}; {} are free. Close other programs, take a smaller model, hold "
      "its weights as bf16 (--weights bf16), or ask for fewer tokens (--max-tokens)",
      size_of(plan.total_bytes()), memory_text(plan, positions), size_of(available));
}

}  // namespace witan::cli
