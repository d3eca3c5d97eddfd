// Cutting the list, then one file after the other.
#include "formats/sharded_safetensors.h"

#include <fmt/core.h>

#include <nlohmann/json.hpp>
#include <vector>

#include "base/error.h"
#include "base/file.h"

namespace witan {

void write_sharded_safetensors(const std::filesystem::path& folder, std::span<const TensorToStore> tensors,
                               std::int64_t shard_bytes) {
  WITAN_ASSERT(shard_bytes > 0);
  std::vector<std::span<const TensorToStore>> shards;
  std::int64_t total = 0;
  std::int64_t filled = 0;
  std::size_t first = 0;
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    const auto bytes = static_cast<std::int64_t>(tensors[i].numel() * dtype_bytes(tensors[i].dtype));
    if (i > first && filled + bytes > shard_bytes) {
      shards.push_back(tensors.subspan(first, i - first));
      first = i;
      filled = 0;
    }
    filled += bytes;
    total += bytes;
  }
  shards.push_back(tensors.subspan(first));
  if (shards.size() == 1) {
    write_safetensors(folder / kWeightsFile, tensors);
    return;
  }
  nlohmann::json places = nlohmann::json::object();
  for (std::size_t i = 0; i < shards.size(); ++i) {
    const std::string name = fmt::format("model-{:05}-of-{:05}.safetensors", i + 1, shards.size());
    write_safetensors(folder / name, shards[i]);
    for (const TensorToStore& tensor : shards[i]) places[tensor.name] = name;
  }
  const nlohmann::json index = {{"metadata", {{"total_size", total}}}, {"weight_map", places}};
  write_file(folder / kWeightsIndexFile, index.dump(2) + "\n");
}

}  // namespace witan
