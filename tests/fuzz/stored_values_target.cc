// A safetensors file whose tensors are read as the numbers they stand for: F8_E4M3 with scales, MXFP4 blocks.
#include <cstring>
#include <fstream>

#include "base/error.h"
#include "base/pool.h"
#include "formats/stored_values.h"
#include "fuzz/overwrite.h"
#include "fuzz/require.h"
#include "fuzz/target.h"
#include "support/temporary_folder.h"

namespace witan::fuzz {
namespace stored_values_fuzz {

std::string stored_file(const std::string& header, std::size_t data_bytes) {
  const std::uint64_t length = header.size();
  std::string bytes(sizeof length, '\0');
  std::memcpy(bytes.data(), &length, sizeof length);
  bytes += header;
  for (std::size_t i = 0; i < data_bytes; ++i) bytes += static_cast<char>('\x30' + i % 16);  // finite in every format
  return bytes;
}

std::vector<std::string> seeds() {
  return {stored_file(R"({"w":{"dtype":"F8_E4M3","shape":[3,5],"data_offsets":[0,15]},)"
                      R"("w_scale_inv":{"dtype":"F32","shape":[2,2],"data_offsets":[15,31]}})",
                      31),
          stored_file(R"({"w":{"dtype":"F8_E4M3","shape":[2,3,5],"data_offsets":[0,30]},)"
                      R"("w_scale_inv":{"dtype":"F32","shape":[2,2,2],"data_offsets":[30,62]}})",
                      62),
          stored_file(R"({"e_blocks":{"dtype":"U8","shape":[2,1,2,16],"data_offsets":[0,64]},)"
                      R"("e_scales":{"dtype":"U8","shape":[2,1,2],"data_offsets":[64,68]}})",
                      68),
          stored_file(R"({"a":{"dtype":"BF16","shape":[2],"data_offsets":[0,4]}})", 4)};
}

// What is read matrix by matrix is, bit for bit, what is read at once.
void require_same_in_slices(const StoredValues& values, const std::string& name, const std::vector<std::int64_t>& shape,
                            const PooledVector<float>& whole) {
  if (shape.empty() || shape.front() <= 1 || whole.empty()) return;
  const std::int64_t slices = shape.front();
  const std::size_t size = whole.size() / static_cast<std::size_t>(slices);
  PooledVector<float> out(size);
  for (std::int64_t slice = 0; slice < slices; ++slice) {
    values.read(name, shape, slice, slices, out);
    const float* expected = whole.data() + static_cast<std::size_t>(slice) * size;
    require(std::memcmp(out.data(), expected, size * sizeof(float)) == 0, "a slice differs from the whole");
  }
}

void run(std::string_view input) {
  static const test::TemporaryFolder folder;
  overwrite(folder / "model.safetensors", input);
  try {
    const SafetensorsReader reader(folder.path());
    const StoredValues values(reader, 2, 3);
    for (const auto& [stored, tensor] : reader.tensors()) {
      for (const std::string& suffix : {std::string(), std::string("_blocks"), std::string("_scale_inv")}) {
        if (!stored.ends_with(suffix)) continue;
        const std::string name = stored.substr(0, stored.size() - suffix.size());
        try {
          const std::vector<std::int64_t> shape = values.shape(name);
          std::int64_t count = 1;
          for (const std::int64_t size : shape) count *= size;
          require(count >= 0 && static_cast<std::size_t>(count) <= 2 * input.size(), "more values than the file holds");
          PooledVector<float> out(static_cast<std::size_t>(count));
          values.read(name, shape, 0, 1, out);
          require_same_in_slices(values, name, shape, out);
        } catch (const Error&) {
        }
      }
    }
  } catch (const Error&) {
  }
}

}  // namespace stored_values_fuzz

Target stored_values_target() { return {"stored_values", stored_values_fuzz::seeds, stored_values_fuzz::run}; }

}  // namespace witan::fuzz
