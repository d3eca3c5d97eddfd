// A released folder with its weights stored otherwise: another dtype, other shards. Nothing is run and no model is
// made: one tensor at a time is in memory.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace witan {

struct ConvertOptions {
  // "f32", "f16", "bf16": every number. "f8_e4m3": the matrices of attention and of feed-forward networks, named
  // "....weight", with scales of 128 x 128 blocks as DeepSeek-V3's release has them; not the embedding, the head, the
  // routers and whatever is no matrix (experts that stand in one tensor). "mxfp4": the experts of gpt_oss, as its
  // release has them. What the last two leave out keeps its dtype.
  std::string dtype = "bf16";
  std::int64_t shard_bytes = std::int64_t{5} * 1000 * 1000 * 1000;  // of one file
};

std::vector<std::string> convert_dtypes();

struct ConvertedSize {
  std::int64_t tensors = 0;
  std::int64_t quantized = 0;  // of them, by f8_e4m3 or mxfp4
  std::int64_t bytes = 0;
};

// Fills the existing folder `to` (the caller makes it atomic): config.json says how the weights are stored, and the
// other files come along (copy_companions). Throws Error: `from` is no model's folder, an unknown dtype, mxfp4 for
// another model than gpt_oss, a weight that is no number, or one too large for F16.
ConvertedSize convert_folder(const std::filesystem::path& from, const std::filesystem::path& to,
                             const ConvertOptions& options);

}  // namespace witan
