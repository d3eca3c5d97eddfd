// The safetensors format: a JSON header and raw little-endian tensors. Mapped, every header field checked.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/file.h"

namespace witan {

enum class DType { kF32, kF16, kBF16, kF64, kI64, kI32, kI16, kI8, kU8, kBool, kF8E4M3, kF8E5M2 };
std::string_view dtype_name(DType dtype);  // "F32", "BF16"
std::size_t dtype_bytes(DType dtype);

struct StoredTensor {
  DType dtype = DType::kF32;
  std::vector<std::int64_t> shape;
  std::span<const std::byte> bytes;  // into the mapped file
  std::int64_t numel() const;
};

// One file, or a folder's shards with model.safetensors.index.json. Throws Error naming file, tensor and what is wrong.
class SafetensorsReader {
 public:
  explicit SafetensorsReader(const std::filesystem::path& file_or_folder);
  const std::map<std::string, StoredTensor>& tensors() const { return tensors_; }
  const std::map<std::string, std::string>& metadata() const { return metadata_; }
  bool contains(const std::string& name) const { return tensors_.contains(name); }
  // Converts f32, f16, bf16 to f32. Throws Error when missing, or when shape is not `expected_shape`.
  void read_f32(const std::string& name, std::span<const std::int64_t> expected_shape, std::span<float> out) const;

 private:
  std::vector<std::unique_ptr<MappedFile>> files_;
  std::map<std::string, StoredTensor> tensors_;
  std::map<std::string, std::string> metadata_;
};

struct TensorToStore {
  std::string name;
  std::vector<std::int64_t> shape;
  std::span<const float> values;
};
// Writes f32, whole or not at all.
void write_safetensors(const std::filesystem::path& path, std::span<const TensorToStore> tensors,
                       const std::map<std::string, std::string>& metadata = {});

}  // namespace witan
