// Reading trusts nothing: every number of the header is compared with the file before it is used.
#include "formats/safetensors.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <ostream>
#include <utility>

#include "base/error.h"
#include "base/json.h"
#include "base/parallel.h"
#include "base/suggest.h"

namespace witan {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

static_assert(std::endian::native == std::endian::little, "safetensors are little-endian, and used as they are mapped");

struct DTypeEntry {
  DType dtype;
  std::string_view name;
  std::size_t bytes;
};

constexpr std::array<DTypeEntry, 15> kDTypes = {{{DType::kF64, "F64", 8},
                                                 {DType::kF32, "F32", 4},
                                                 {DType::kF16, "F16", 2},
                                                 {DType::kBF16, "BF16", 2},
                                                 {DType::kI64, "I64", 8},
                                                 {DType::kI32, "I32", 4},
                                                 {DType::kI16, "I16", 2},
                                                 {DType::kI8, "I8", 1},
                                                 {DType::kU64, "U64", 8},
                                                 {DType::kU32, "U32", 4},
                                                 {DType::kU16, "U16", 2},
                                                 {DType::kU8, "U8", 1},
                                                 {DType::kBool, "BOOL", 1},
                                                 {DType::kF8E4M3, "F8_E4M3", 1},
                                                 {DType::kF8E5M2, "F8_E5M2", 1}}};

const DTypeEntry& entry(DType dtype) {
  const auto found = std::find_if(kDTypes.begin(), kDTypes.end(), [&](const auto& e) { return e.dtype == dtype; });
  WITAN_ASSERT(found != kDTypes.end());
  return *found;
}

constexpr const char* kMetadataKey = "__metadata__";
constexpr std::uint64_t kLongestHeader = 100'000'000;  // the limit of the reference implementation
constexpr const char* kSingleFile = "model.safetensors";
constexpr const char* kIndexFile = "model.safetensors.index.json";

std::string shown(const Json& value) {
  std::string text = value.dump(-1, ' ', true, Json::error_handler_t::replace);
  constexpr std::size_t kLongest = 80;
  if (text.size() > kLongest) text = text.substr(0, kLongest) + "...";
  return text;
}

std::optional<std::int64_t> non_negative(const Json& value) {
  if (!value.is_number_unsigned()) return std::nullopt;
  const auto number = value.get<std::uint64_t>();
  if (number > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) return std::nullopt;
  return static_cast<std::int64_t>(number);
}

DType parse_dtype(const Json& value, const std::string& where) {
  std::vector<std::string> known;
  for (const DTypeEntry& e : kDTypes) {
    if (value.is_string() && value.get_ref<const std::string&>() == e.name) return e.dtype;
    known.emplace_back(e.name);
  }
  fail("{}: unknown dtype {} (known: {})", where, shown(value), comma_list(known));
}

// The shape, and the bytes that it must have.
std::pair<std::vector<std::int64_t>, std::uint64_t> parse_shape(const Json& value, DType dtype,
                                                                const std::string& where) {
  if (!value.is_array()) fail("{}: shape is {}, expected a list of sizes", where, shown(value));
  std::vector<std::int64_t> shape;
  for (const Json& item : value) {
    const std::optional<std::int64_t> size = non_negative(item);
    if (!size) fail("{}: shape {} has {}, expected sizes of 0 or more", where, shown(value), shown(item));
    shape.push_back(*size);
  }
  // Strides are products of the sizes that are not 0, so these may not overflow either, even in an empty tensor.
  std::int64_t bytes = static_cast<std::int64_t>(dtype_bytes(dtype));
  for (const std::int64_t size : shape) {
    if (size != 0 && __builtin_mul_overflow(bytes, size, &bytes))
      fail("{}: shape {} is too large", where, shown(value));
  }
  if (std::find(shape.begin(), shape.end(), 0) != shape.end()) bytes = 0;
  return {std::move(shape), static_cast<std::uint64_t>(bytes)};
}

StoredTensor parse_tensor(const Json& value, std::span<const std::byte> data, const std::string& where) {
  if (!value.is_object()) fail("{}: the entry is {}, expected an object", where, shown(value));
  for (const char* key : {"dtype", "shape", "data_offsets"}) {
    if (!value.contains(key)) fail("{}: the entry has no {}", where, key);
  }
  StoredTensor tensor;
  tensor.dtype = parse_dtype(value["dtype"], where);
  auto [shape, expected_bytes] = parse_shape(value["shape"], tensor.dtype, where);
  tensor.shape = std::move(shape);
  const Json& offsets = value["data_offsets"];
  const bool pair = offsets.is_array() && offsets.size() == 2;
  const std::optional<std::int64_t> begin = pair ? non_negative(offsets[0]) : std::nullopt;
  const std::optional<std::int64_t> end = pair ? non_negative(offsets[1]) : std::nullopt;
  if (!begin || !end || *begin > *end) fail("{}: data_offsets {} are no range", where, shown(offsets));
  if (static_cast<std::uint64_t>(*end) > data.size()) {
    fail("{}: data_offsets {} reach beyond the {} bytes of data; is the file cut short?", where, shown(offsets),
         data.size());
  }
  const auto length = static_cast<std::uint64_t>(*end - *begin);
  if (length != expected_bytes) {
    fail("{}: has {} bytes, expected {} for shape {} of {}", where, length, expected_bytes, shape_text(tensor.shape),
         dtype_name(tensor.dtype));
  }
  tensor.bytes = data.subspan(static_cast<std::size_t>(*begin), length);
  return tensor;
}

// Tensors one after the other, from the first byte of the data to the last.
void check_cover(const std::map<std::string, StoredTensor>& tensors, std::span<const std::byte> data,
                 const std::string& file) {
  struct Range {
    std::size_t begin;
    std::size_t end;
    const std::string* name;
  };
  std::vector<Range> ranges;
  ranges.reserve(tensors.size());
  for (const auto& [name, tensor] : tensors) {
    const auto begin = static_cast<std::size_t>(tensor.bytes.data() - data.data());
    ranges.push_back({begin, begin + tensor.bytes.size(), &name});
  }
  std::sort(ranges.begin(), ranges.end(),
            [](const Range& a, const Range& b) { return std::pair(a.begin, a.end) < std::pair(b.begin, b.end); });
  std::size_t end = 0;
  for (const Range& range : ranges) {
    if (range.begin < end) fail("{}: tensor '{}': overlaps another tensor at byte {}", file, *range.name, range.begin);
    if (range.begin > end) {
      fail("{}: tensor '{}': begins at byte {}, but the tensors before end at {}", file, *range.name, range.begin, end);
    }
    end = range.end;
  }
  if (end != data.size()) fail("{}: {} bytes of data, but the tensors end at {}", file, data.size(), end);
}

float half_to_float(std::uint16_t half) {
  const std::uint32_t sign = std::uint32_t{half & 0x8000U} << 16;
  const std::uint32_t exponent = (half >> 10) & 0x1FU;
  const std::uint32_t fraction = half & 0x3FFU;
  if (exponent == 0) {  // zero and subnormal: fraction x 2^-24
    const float magnitude = static_cast<float>(fraction) * 0x1p-24F;
    return sign != 0 ? -magnitude : magnitude;
  }
  const std::uint32_t wide_exponent = exponent == 31 ? 255U : exponent + 112U;
  return std::bit_cast<float>(sign | (wide_exponent << 23) | (fraction << 13));
}

float bfloat_to_float(std::uint16_t bits) { return std::bit_cast<float>(std::uint32_t{bits} << 16); }

template <class Convert>
void convert_words(const std::byte* bytes, std::span<float> out, Convert&& convert) {
  constexpr std::int64_t kGrain = 1 << 16;
  parallel_for(static_cast<std::int64_t>(out.size()), kGrain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      std::uint16_t word = 0;
      std::memcpy(&word, bytes + 2 * i, sizeof word);
      out[static_cast<std::size_t>(i)] = convert(word);
    }
  });
}

}  // namespace

std::string_view dtype_name(DType dtype) { return entry(dtype).name; }

std::size_t dtype_bytes(DType dtype) { return entry(dtype).bytes; }

std::int64_t StoredTensor::numel() const {
  return static_cast<std::int64_t>(bytes.size()) / static_cast<std::int64_t>(dtype_bytes(dtype));
}

std::string shape_text(std::span<const std::int64_t> shape) {
  std::string text = "[";
  for (const std::int64_t size : shape) text += (text.size() > 1 ? ", " : "") + std::to_string(size);
  return text + "]";
}

SafetensorsContent parse_safetensors(std::span<const std::byte> bytes, const std::string& file) {
  std::uint64_t header_bytes = 0;
  if (bytes.size() < sizeof header_bytes) {
    fail("{}: no safetensors file: {} bytes, expected at least 8", file, bytes.size());
  }
  std::memcpy(&header_bytes, bytes.data(), sizeof header_bytes);
  if (header_bytes > kLongestHeader) {
    fail("{}: no safetensors file: a header of {} bytes, expected at most {}", file, header_bytes, kLongestHeader);
  }
  if (header_bytes > bytes.size() - sizeof header_bytes) {
    fail("{}: a header of {} bytes in a file of {}; is it cut short?", file, header_bytes, bytes.size());
  }
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()) + sizeof header_bytes, header_bytes);
  const std::span<const std::byte> data = bytes.subspan(sizeof header_bytes + header_bytes);
  const Json header = parse_json(text, file + ": header");
  if (!header.is_object()) fail("{}: the header is {}, expected an object", file, shown(header));
  SafetensorsContent content;
  for (const auto& [name, value] : header.items()) {
    if (name == kMetadataKey) {
      if (!value.is_object()) fail("{}: {} is {}, expected an object", file, kMetadataKey, shown(value));
      for (const auto& [key, text_value] : value.items()) {
        if (!text_value.is_string())
          fail("{}: {}: '{}' is {}, expected a string", file, kMetadataKey, key, shown(text_value));
        content.metadata[key] = text_value.get<std::string>();
      }
      continue;
    }
    StoredTensor tensor = parse_tensor(value, data, fmt::format("{}: tensor '{}'", file, name));
    tensor.file = file;
    content.tensors.emplace(name, std::move(tensor));
  }
  check_cover(content.tensors, data, file);
  return content;
}

SafetensorsReader::SafetensorsReader(const fs::path& file_or_folder) : path_(file_or_folder) {
  std::error_code error;
  if (!fs::is_directory(path_, error)) {
    if (path_.extension() == ".json") {
      read_shards(path_);
    } else {
      content_ = open(path_);
    }
  } else if (fs::exists(path_ / kSingleFile, error)) {
    content_ = open(path_ / kSingleFile);
  } else if (fs::exists(path_ / kIndexFile, error)) {
    read_shards(path_ / kIndexFile);
  } else {
    fail("{}: no weights: looked for {} and {}", path_.string(), kSingleFile, kIndexFile);
  }
}

SafetensorsContent SafetensorsReader::open(const fs::path& file) {
  files_.push_back(std::make_unique<MappedFile>(file));
  return parse_safetensors(files_.back()->bytes(), file.string());
}

void SafetensorsReader::read_shards(const fs::path& index) {
  const std::string where = index.string();
  const Json json = read_json_file(index);
  if (!json.is_object() || !json.contains("weight_map") || !json["weight_map"].is_object()) {
    fail("{}: expected an object with a weight_map from tensors to files", where);
  }
  std::map<std::string, SafetensorsContent> shards;
  for (const auto& [name, value] : json["weight_map"].items()) {
    if (!value.is_string()) fail("{}: tensor '{}': its file is {}, expected a name", where, name, shown(value));
    const auto& shard_name = value.get_ref<const std::string&>();
    // A checkpoint from elsewhere must not make us open files outside its folder.
    if (shard_name.empty() || shard_name == "." || shard_name == ".." ||
        shard_name.find_first_of(std::string_view("/\\\0", 3)) != std::string::npos) {
      fail("{}: tensor '{}': {} is no plain file name", where, name, shown(value));
    }
    auto shard = shards.find(shard_name);
    if (shard == shards.end()) {
      shard = shards.emplace(shard_name, open(index.parent_path() / shard_name)).first;
      content_.metadata.merge(shard->second.metadata);
    }
    const auto tensor = shard->second.tensors.find(name);
    if (tensor == shard->second.tensors.end()) {
      fail("{}: tensor '{}' is not in {}, where the index says it is", where, name, shard_name);
    }
    content_.tensors.emplace(name, std::move(tensor->second));
  }
}

const StoredTensor& SafetensorsReader::tensor(const std::string& name) const {
  const auto found = content_.tensors.find(name);
  if (found != content_.tensors.end()) return found->second;
  std::vector<std::string> known;
  for (const auto& [other, tensor] : content_.tensors) known.push_back(other);
  fail("{}: no tensor '{}'{}", path_.string(), name, suggestion(name, known));
}

void SafetensorsReader::read_f32(const std::string& name, std::span<const std::int64_t> expected_shape,
                                 std::span<float> out) const {
  const StoredTensor& stored = tensor(name);
  if (!std::ranges::equal(stored.shape, expected_shape)) {
    fail("{}: tensor '{}': shape {}, expected {}", stored.file, name, shape_text(stored.shape),
         shape_text(expected_shape));
  }
  WITAN_ASSERT(static_cast<std::int64_t>(out.size()) == stored.numel());
  switch (stored.dtype) {
    case DType::kF32:
      if (!out.empty()) std::memcpy(out.data(), stored.bytes.data(), stored.bytes.size());
      return;
    case DType::kF16:
      convert_words(stored.bytes.data(), out, half_to_float);
      return;
    case DType::kBF16:
      convert_words(stored.bytes.data(), out, bfloat_to_float);
      return;
    default:
      fail("{}: tensor '{}': dtype {}, expected F32, F16 or BF16", stored.file, name, dtype_name(stored.dtype));
  }
}

void write_safetensors(const fs::path& path, std::span<const TensorToStore> tensors,
                       const std::map<std::string, std::string>& metadata) {
  std::map<std::string, const TensorToStore*> sorted;
  for (const TensorToStore& tensor : tensors) {
    std::int64_t numel = 1;
    for (const std::int64_t size : tensor.shape) numel *= size;
    WITAN_ASSERT(numel == static_cast<std::int64_t>(tensor.values.size()));
    WITAN_ASSERT(tensor.name != kMetadataKey && sorted.emplace(tensor.name, &tensor).second);
  }
  Json header = Json::object();
  header[kMetadataKey] = metadata;
  if (!metadata.contains("format")) header[kMetadataKey]["format"] = "pt";
  std::size_t offset = 0;
  for (const auto& [name, tensor] : sorted) {
    const std::size_t end = offset + tensor->values.size_bytes();
    header[name] = {{"dtype", dtype_name(DType::kF32)}, {"shape", tensor->shape}, {"data_offsets", {offset, end}}};
    offset = end;
  }
  std::string text = header.dump();
  constexpr std::size_t kAlignment = 64;
  const std::uint64_t length =
      (sizeof(std::uint64_t) + text.size() + kAlignment - 1) / kAlignment * kAlignment - sizeof(std::uint64_t);
  text.resize(length, ' ');
  write_file(path, [&](std::ostream& stream) {
    stream.write(reinterpret_cast<const char*>(&length), sizeof length);
    stream << text;
    for (const auto& [name, tensor] : sorted) {
      stream.write(reinterpret_cast<const char*>(tensor->values.data()),
                   static_cast<std::streamsize>(tensor->values.size_bytes()));
    }
  });
}

}  // namespace witan
