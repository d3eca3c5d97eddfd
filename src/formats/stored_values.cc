// Plain, scaled and packed tensors as f32.
#include "formats/stored_values.h"

#include <algorithm>
#include <set>
#include <string_view>

#include "base/error.h"
#include "base/parallel.h"
#include "base/pool.h"
#include "formats/quantize.h"

namespace witan {
namespace {

constexpr const char* kBlocks = "_blocks";
constexpr const char* kScales = "_scales";
constexpr const char* kInverseScale = "_scale_inv";

std::span<const std::byte> cut(std::span<const std::byte> bytes, std::int64_t slice, std::int64_t slices) {
  const std::size_t size = bytes.size() / static_cast<std::size_t>(slices);
  return bytes.subspan(static_cast<std::size_t>(slice) * size, size);
}

}  // namespace

bool StoredValues::is_mxfp4(const std::string& name) const {
  return reader_.contains(name + kBlocks) && !reader_.contains(name);
}

std::vector<std::string> StoredValues::parts(const std::string& name) const {
  if (is_mxfp4(name)) return {name + kBlocks, name + kScales};
  if (reader_.contains(name) && reader_.tensor(name).dtype == DType::kF8E4M3) return {name, name + kInverseScale};
  return {name};
}

std::vector<std::string> StoredValues::names() const {
  std::set<std::string> names;
  for (const auto& [stored, tensor] : reader_.tensors()) {
    std::string whole = stored;
    for (const std::string_view suffix : {kBlocks, kScales, kInverseScale}) {
      if (!stored.ends_with(suffix)) continue;
      const std::string name = stored.substr(0, stored.size() - suffix.size());
      const std::vector<std::string> held = contains(name) ? parts(name) : std::vector<std::string>();
      if (std::ranges::find(held, stored) != held.end()) whole = name;
    }
    names.insert(std::move(whole));
  }
  return {names.begin(), names.end()};
}

bool StoredValues::is_number(const std::string& name) const {
  if (is_mxfp4(name)) return true;
  const DType dtype = reader_.tensor(name).dtype;
  return is_plain_float(dtype) || dtype == DType::kF8E4M3;
}

std::vector<std::int64_t> StoredValues::shape(const std::string& name) const {
  if (!is_mxfp4(name)) return reader_.tensor(name).shape;
  const StoredTensor& blocks = reader_.tensor(name + kBlocks);
  const StoredTensor& scales = reader_.tensor(name + kScales);
  constexpr auto kBytes = static_cast<std::int64_t>(kMxfp4Block / 2);
  std::vector<std::int64_t> shape = blocks.shape;
  const bool packed = blocks.dtype == DType::kU8 && shape.size() >= 2 && shape.back() == kBytes;
  if (packed) shape.pop_back();
  if (!packed || scales.dtype != DType::kU8 || scales.shape != shape) {
    fail("{}: tensor '{}{}': {} of {} with scales {} of {}, expected U8 [.., n, {}] with U8 [.., n]", blocks.file, name,
         kBlocks, shape_text(blocks.shape), dtype_name(blocks.dtype), shape_text(scales.shape),
         dtype_name(scales.dtype), kBytes);
  }
  if (__builtin_mul_overflow(shape.back(), static_cast<std::int64_t>(kMxfp4Block), &shape.back())) {
    fail("{}: tensor '{}{}': shape {} is too large", blocks.file, name, kBlocks, shape_text(blocks.shape));
  }
  return shape;
}

double StoredValues::count() const {
  double values = 0.0;
  for (const auto& [name, tensor] : reader_.tensors()) {
    values += (name.ends_with(kBlocks) ? 2.0 : 1.0) * static_cast<double>(tensor.numel());
  }
  return values;
}

void StoredValues::read(const std::string& name, std::span<const std::int64_t> expected_shape, std::int64_t slice,
                        std::int64_t slices, std::span<float> out) const {
  const std::vector<std::int64_t> stored_shape = shape(name);
  const StoredTensor& stored = reader_.tensor(parts(name).front());
  if (!std::ranges::equal(stored_shape, expected_shape)) {
    fail("{}: tensor '{}': shape {}, expected {}", stored.file, name, shape_text(stored_shape),
         shape_text(expected_shape));
  }
  WITAN_ASSERT(slices == 1 || stored_shape.front() % slices == 0);
  if (is_mxfp4(name)) {
    read_mxfp4(name, slice, slices, out);
  } else if (is_plain_float(stored.dtype)) {
    to_floats(stored.dtype, cut(stored.bytes, slice, slices), out);
  } else if (stored.dtype == DType::kF8E4M3) {
    to_floats(stored.dtype, cut(stored.bytes, slice, slices), out);
    scale_blocks(name, stored, slice, slices, out);
  } else {
    fail("{}: tensor '{}': dtype {}, expected F32, F16, BF16, F8_E4M3 with '{}{}', or MXFP4 as '{}{}' and '{}{}'",
         stored.file, name, dtype_name(stored.dtype), name, kInverseScale, name, kBlocks, name, kScales);
  }
}

void StoredValues::read_mxfp4(const std::string& name, std::int64_t slice, std::int64_t slices,
                              std::span<float> out) const {
  mxfp4_to_floats(cut(reader_.tensor(name + kBlocks).bytes, slice, slices),
                  cut(reader_.tensor(name + kScales).bytes, slice, slices), out);
}

void StoredValues::scale_blocks(const std::string& name, const StoredTensor& stored, std::int64_t slice,
                                std::int64_t slices, std::span<float> out) const {
  const std::string scale_name = name + kInverseScale;
  if (!reader_.contains(scale_name)) {
    fail("{}: tensor '{}': F8_E4M3 without '{}' beside it", stored.file, name, scale_name);
  }
  if (stored.shape.size() < 2) {
    fail("{}: tensor '{}': F8_E4M3 of shape {}, expected a matrix or a stack of them", stored.file, name,
         shape_text(stored.shape));
  }
  const std::int64_t rows = stored.shape[stored.shape.size() - 2];
  const std::int64_t cols = stored.shape.back();
  const std::int64_t down = num_blocks(rows, block_rows_);
  const std::int64_t across = num_blocks(cols, block_cols_);
  std::vector<std::int64_t> expected = stored.shape;
  expected[expected.size() - 2] = down;
  expected.back() = across;
  PooledVector<float> scales(static_cast<std::size_t>(reader_.tensor(scale_name).numel()));
  reader_.read_f32(scale_name, expected, scales);
  if (out.empty()) return;  // of rows without columns there may be more than can be counted through
  // Of all matrices, one after the other; a slice may begin within one, and within a block.
  const std::int64_t count = stored.numel() / cols / slices;
  const std::int64_t first = slice * count;
  parallel_for(count, 64, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      const std::int64_t matrix = (first + i) / rows;
      const std::int64_t row = (first + i) % rows;
      const float* row_scales = scales.data() + (matrix * down + row / block_rows_) * across;
      float* values = out.data() + i * cols;
      for (std::int64_t col = 0; col < cols; ++col) values[col] *= row_scales[col / block_cols_];
    }
  });
}

PooledVector<float> with_last_two_exchanged(std::span<const std::int64_t> shape, std::span<const float> values) {
  WITAN_ASSERT(shape.size() >= 2);
  const auto rows = static_cast<std::size_t>(shape[shape.size() - 2]);
  const auto cols = static_cast<std::size_t>(shape.back());
  PooledVector<float> turned(values.size());
  for (std::size_t first = 0; first < values.size(); first += rows * cols) {
    for (std::size_t row = 0; row < rows; ++row) {
      for (std::size_t col = 0; col < cols; ++col) turned[first + col * rows + row] = values[first + row * cols + col];
    }
  }
  return turned;
}

}  // namespace witan
