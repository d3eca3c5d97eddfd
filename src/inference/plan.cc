// Sizes from the config; the machine's limits from the system and a short measurement.
#include "inference/plan.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <fstream>
#include <initializer_list>
#include <limits>
#include <numeric>
#include <string>
#include <string_view>
#include <vector>

#include "base/parallel.h"
#include "layers/biased_attention.h"
#include "models/parameter_counts.h"

namespace witan {
namespace {

// Their product times `each`. The product of allowed sizes exceeds 64 bits; 3 EB, of which three still add up, are more
// than any machine has.
std::int64_t bytes_of(std::initializer_list<std::int64_t> sizes, double each) {
  constexpr double kMostBytes = 3e18;
  double bytes = each;
  for (const std::int64_t size : sizes) bytes *= static_cast<double>(size);
  return static_cast<std::int64_t>(std::min(bytes, kMostBytes));
}

// What a layer of the decoder holds for each of `rows` rows where it holds most, which is in the mixture: its input,
// that normed, attended, crossed, their sums; queries, keys, values and what is mixed of them; of the experts that
// serve the row what they get and give, before and after the activation; logits, probabilities and weights of the
// router; the biases of its distances. Scores are held some at a time.
std::int64_t pass_bytes(const EncoderDecoderConfig& config, std::int64_t rows) {
  constexpr double kHiddenRows = 7.0;
  constexpr double kHeadRows = 4.0;
  constexpr double kRouterRows = 3.0;
  const StackConfig& encoder = config.encoder;
  const StackConfig& decoder = config.decoder;
  const auto hidden = static_cast<double>(config.hidden_size);
  const auto inner = static_cast<double>(std::max(encoder.intermediate_size, decoder.intermediate_size));
  const auto heads = static_cast<double>(std::max(encoder.num_heads, decoder.num_heads));
  const auto width =
      static_cast<double>(std::max(encoder.num_heads * encoder.head_dim, decoder.num_heads * decoder.head_dim));
  const double floats = kHiddenRows * hidden + kHeadRows * width +
                        2.0 * static_cast<double>(config.routing.choices) * (inner + hidden) +
                        kRouterRows * static_cast<double>(config.num_experts) + 2.0 * heads;
  const auto count = static_cast<double>(rows);
  const double scores = std::min(count * count, static_cast<double>(BiasedAttention().most_scores));
  return bytes_of({}, sizeof(float) * (count * floats + scores));
}

// The number in a file that holds nothing else, such as a control group's limit; -1: none ("max", no file).
std::int64_t number_in(const std::filesystem::path& path) {
  std::ifstream file(path);
  std::int64_t value = -1;
  return file >> value ? value : -1;
}

// The number behind a name in a file of such lines; 0: none.
std::int64_t named_number_in(const std::filesystem::path& path, std::string_view name) {
  std::ifstream file(path);
  std::string key;
  std::int64_t value = 0;
  for (std::string rest; file >> key >> value; std::getline(file, rest)) {
    if (key == name) return value;
  }
  return 0;
}

// Files of a control group below /sys/fs/cgroup, and the lines in its statistics for pages of files.
struct MemoryGroup {
  const char* limit;
  const char* used;
  const char* statistics;
  const char* inactive_files;
  const char* active_files;
};
constexpr std::array kMemoryGroups = {
    MemoryGroup{"memory.max", "memory.current", "memory.stat", "inactive_file", "active_file"},  // version 2
    MemoryGroup{"memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes", "memory/memory.stat",
                "total_inactive_file", "total_active_file"},  // version 1, which writes no limit as a very large number
};

// -1: no limit is known.
std::int64_t left_in_group(const std::filesystem::path& folder, const MemoryGroup& group) {
  const std::int64_t limit = number_in(folder / group.limit);
  const std::int64_t used = number_in(folder / group.used);
  if (limit < 0 || used < 0) return -1;
  // Pages of files count as used, and are given up when memory is wanted: those of a model just downloaded, say.
  const std::int64_t files = named_number_in(folder / group.statistics, group.inactive_files) +
                             named_number_in(folder / group.statistics, group.active_files);
  return std::max<std::int64_t>(0, limit - used + std::min(files, used));
}

}  // namespace

RunPlan plan_run(const DecoderConfig& config, std::int64_t positions, Precision weights) {
  RunPlan plan;
  plan.parameters = count_parameters(config);
  const auto weight_bytes = static_cast<double>(bytes_per_value(weights));
  plan.weight_bytes = bytes_of({plan.parameters.total}, weight_bytes);
  plan.cache_bytes = bytes_of({config.num_hidden_layers, config.cached_per_position(), positions}, sizeof(float));
  // Of an embedding one row is read; a head of its own is read whole.
  const std::int64_t embedding = config.tie_word_embeddings ? 0 : config.vocab_size * config.hidden_size;
  plan.bytes_per_token = bytes_of({plan.parameters.active - embedding}, weight_bytes);
  return plan;
}

RunPlan plan_run(const EncoderDecoderConfig& config, std::int64_t source_positions, std::int64_t output_positions,
                 std::int64_t outputs) {
  const EncoderDecoderCounts counts = count_parameters(config);
  const StackConfig& decoder = config.decoder;
  RunPlan plan;
  plan.parameters = counts.all;
  plan.weight_bytes = bytes_of({counts.all.total}, sizeof(float));
  plan.cache_bytes = bytes_of(
      {decoder.num_layers(), decoder.num_heads, decoder.head_dim, source_positions + outputs * output_positions},
      2.0 * sizeof(float));  // a key and a value
  plan.pass_bytes = pass_bytes(config, std::max(source_positions, outputs));
  plan.bytes_per_token = bytes_of({counts.output_token}, sizeof(float));
  return plan;
}

std::int64_t available_memory(const std::filesystem::path& root) {
  const std::int64_t kilobytes = named_number_in(root / "proc/meminfo", "MemAvailable:");
  std::int64_t available = kilobytes > 0 ? kilobytes * 1024 : -1;
  for (const MemoryGroup& group : kMemoryGroups) {
    const std::int64_t left = left_in_group(root / "sys/fs/cgroup", group);
    if (left >= 0) available = available < 0 ? left : std::min(available, left);
  }
  return available;
}

double read_bandwidth() {
  constexpr std::size_t kBytes = std::size_t{256} << 20;  // far beyond any cache
  constexpr int kRounds = 3;
  std::vector<std::uint64_t> words(kBytes / sizeof(std::uint64_t), 1);
  double best = 0.0;
  std::uint64_t seen = 0;
  for (int round = 0; round < kRounds; ++round) {
    std::vector<std::uint64_t> sums(static_cast<std::size_t>(num_threads()), 0);
    const auto begin = std::chrono::steady_clock::now();
    parallel_region([&](int thread, int threads) {
      const std::size_t first = words.size() * static_cast<std::size_t>(thread) / static_cast<std::size_t>(threads);
      const std::size_t last = words.size() * static_cast<std::size_t>(thread + 1) / static_cast<std::size_t>(threads);
      std::array<std::uint64_t, 4> partial{};  // several chains: one would wait for its own additions
      for (std::size_t i = first; i + partial.size() <= last; i += partial.size()) {
        for (std::size_t j = 0; j < partial.size(); ++j) partial[j] += words[i + j];
      }
      sums[static_cast<std::size_t>(thread)] = std::accumulate(partial.begin(), partial.end(), std::uint64_t{0});
    });
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    seen += std::accumulate(sums.begin(), sums.end(), std::uint64_t{0});
    best = std::max(best, static_cast<double>(kBytes) / std::max(seconds, 1e-9));
  }
  // The sums are looked at, so that nobody may leave them out.
  return seen == std::numeric_limits<std::uint64_t>::max() ? 0.0 : best;
}

}  // namespace witan
