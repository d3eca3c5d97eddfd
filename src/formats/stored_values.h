// The numbers of a checkpoint, whatever they are stored as: plain floats, eight-bit floats with a scale per block
// beside them (DeepSeek-V3's release), or MXFP4 (gpt-oss' release). Tensors are read when they are asked for.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/pool.h"
#include "formats/safetensors.h"

namespace witan {

class StoredValues {
 public:
  // `reader` must outlive this. block_rows x block_cols: what a scale of an F8_E4M3 tensor covers of each of its
  // matrices; the blocks at the edges are cut.
  StoredValues(const SafetensorsReader& reader, std::int64_t block_rows, std::int64_t block_cols)
      : reader_(reader), block_rows_(block_rows), block_cols_(block_cols) {}

  // "name", or the pair "name_blocks" and "name_scales" of MXFP4.
  bool contains(const std::string& name) const { return reader_.contains(name) || is_mxfp4(name); }
  // Stored as "name_blocks" [.., n, 16] and "name_scales" [.., n]; the values are [.., 32 n].
  bool is_mxfp4(const std::string& name) const;
  // All values, sorted, each by the name it is read by: scales and blocks are parts of others.
  std::vector<std::string> names() const;
  // Whether read() takes it: what is no integer and no boolean.
  bool is_number(const std::string& name) const;
  // The tensors that hold `name`: itself, and what belongs to it.
  std::vector<std::string> parts(const std::string& name) const;
  // Of the values. Throws Error when there are none of that name.
  std::vector<std::int64_t> shape(const std::string& name) const;
  // How many values all tensors hold: what a model of this size may be promised.
  double count() const;
  // Part `slice` of `slices` equal ones, cut along the first dimension. out: its values.
  // Throws Error naming the tensor when it is missing, of another shape than `expected_shape`, of a dtype that is no
  // number here, or lacks its scales.
  void read(const std::string& name, std::span<const std::int64_t> expected_shape, std::int64_t slice,
            std::int64_t slices, std::span<float> out) const;

 private:
  void read_mxfp4(const std::string& name, std::int64_t slice, std::int64_t slices, std::span<float> out) const;
  void scale_blocks(const std::string& name, const StoredTensor& stored, std::int64_t slice, std::int64_t slices,
                    std::span<float> out) const;

  const SafetensorsReader& reader_;
  std::int64_t block_rows_;
  std::int64_t block_cols_;
};

// values of this shape, of at least two dimensions -> the same with the last two exchanged.
PooledVector<float> with_last_two_exchanged(std::span<const std::int64_t> shape, std::span<const float> values);

}  // namespace witan
