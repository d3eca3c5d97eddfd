// The safetensors format: a JSON header and raw little-endian tensors. Mapped, every header field checked.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/file.h"
#include "formats/number_formats.h"

namespace witan {

// What a model's folder calls its weights: in one file, or the index of several.
inline constexpr const char* kWeightsFile = "model.safetensors";
inline constexpr const char* kWeightsIndexFile = "model.safetensors.index.json";

struct StoredTensor {
  DType dtype = DType::kF32;
  std::vector<std::int64_t> shape;   // the number of elements fits std::int64_t
  std::span<const std::byte> bytes;  // into the mapped file; any alignment
  std::string file;                  // for messages
  std::int64_t numel() const;
};

struct SafetensorsContent {
  std::map<std::string, StoredTensor> tensors;
  std::map<std::string, std::string> metadata;
};

std::string shape_text(std::span<const std::int64_t> shape);  // "[2, 3]"

// Reads a whole file that lies in memory; the tensors point into it. `file` is its name, for messages.
// The header's length is at most 100 MB and inside the file; names are unique; dtypes known; shapes non-negative,
// without overflow, and shape x dtype is the byte count; the tensors cover the data without overlap, holes or rest, as
// the reference implementation demands. Throws Error naming the file and the tensor.
SafetensorsContent parse_safetensors(std::span<const std::byte> bytes, const std::string& file);

// One file, or a folder with model.safetensors or with shards and their model.safetensors.index.json (which may also be
// named itself). The index decides: tensors that it does not name are not seen. Throws Error naming file, tensor and
// what is wrong.
class SafetensorsReader {
 public:
  explicit SafetensorsReader(const std::filesystem::path& file_or_folder);
  const std::map<std::string, StoredTensor>& tensors() const { return content_.tensors; }
  const std::map<std::string, std::string>& metadata() const { return content_.metadata; }
  bool contains(const std::string& name) const { return content_.tensors.contains(name); }
  // Throws Error naming near names when missing.
  const StoredTensor& tensor(const std::string& name) const;
  // Converts F32, F16, BF16 to f32. Throws Error when missing, of another dtype, or when shape is not `expected_shape`.
  // `out` holds as many elements.
  void read_f32(const std::string& name, std::span<const std::int64_t> expected_shape, std::span<float> out) const;

 private:
  void read_shards(const std::filesystem::path& index);
  SafetensorsContent open(const std::filesystem::path& file);

  std::filesystem::path path_;
  std::vector<std::unique_ptr<MappedFile>> files_;
  SafetensorsContent content_;
};

struct TensorToStore {
  std::string name;
  std::vector<std::int64_t> shape;
  std::span<const float> values;
  DType dtype = DType::kF32;  // or kF16, kBF16, any with fill_bytes: values are rounded to the nearest, ties to even
  // Instead of `values`, when set: writes them all, when their turn has come. Tensors that stand in memory otherwise
  // than in the file are put together one at a time this way.
  std::function<void(std::span<float>)> fill = nullptr;
  // Instead of both, and for any dtype: writes the bytes as they are stored.
  std::function<void(std::span<std::byte>)> fill_bytes = nullptr;

  std::size_t numel() const;
};
// Writes sorted by name, whole or not at all. The data begin at a multiple of 64 bytes. Metadata get
// {"format": "pt"} unless they name a format: PyTorch's readers ask for it.
void write_safetensors(const std::filesystem::path& path, std::span<const TensorToStore> tensors,
                       const std::map<std::string, std::string>& metadata = {});

}  // namespace witan
