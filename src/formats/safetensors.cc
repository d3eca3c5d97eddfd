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
#include "base/pool.h"
#include "base/suggest.h"
#include "formats/number_formats.h"
#include "formats/weight_formats.h"

namespace witan {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

static_assert(std::endian::native == std::endian::little, "safetensors are little-endian, and used as they are mapped");

constexpr const char* kMetadataKey = "__metadata__";
constexpr std::uint64_t kLongestHeader = 100'000'000;  // the limit of the reference implementation

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

DType dtype_of(const Json& value, const std::string& where) {
  const std::optional<DType> dtype = value.is_string() ? find_dtype(value.get_ref<const std::string&>()) : std::nullopt;
  if (!dtype) fail("{}: unknown dtype {} (known: {})", where, shown(value), comma_list(dtype_names()));
  return *dtype;
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
  tensor.dtype = dtype_of(value["dtype"], where);
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

}  // namespace

std::int64_t StoredTensor::numel() const {
  return static_cast<std::int64_t>(bytes.size()) / static_cast<std::int64_t>(dtype_bytes(dtype));
}

std::size_t TensorToStore::numel() const {
  std::int64_t product = 1;
  for (const std::int64_t size : shape) product *= size;
  return static_cast<std::size_t>(product);
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

namespace {

// "a.bin is", "a.bin and 3 more are".
std::string files_are(std::vector<std::string> files) {
  const std::string first = *std::ranges::min_element(files);
  return files.size() == 1 ? first + " is" : fmt::format("{} and {} more are", first, files.size() - 1);
}

// What a folder without our weights holds instead: shards of a download that is not whole, or of a release that names
// its files otherwise, and weights of other frameworks.
std::string others_named(const fs::path& folder) {
  std::error_code error;
  std::vector<std::string> shards;
  std::vector<std::string> others;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder, error)) {
    const fs::path& file = entry.path();
    if (!names_weights(file) || file.extension() == ".json") continue;  // an index holds no weights
    (file.extension() == ".safetensors" ? shards : others).push_back(file.filename().string());
  }
  std::string text;
  if (!shards.empty()) text += fmt::format("; {} there: shards need {}", files_are(shards), kWeightsIndexFile);
  if (!others.empty()) {
    text += fmt::format("; {} of {} not read", files_are(others),
                        others.size() == 1 ? "a format that is" : "formats that are");
  }
  return text;
}

}  // namespace

SafetensorsReader::SafetensorsReader(const fs::path& file_or_folder) : path_(file_or_folder) {
  std::error_code error;
  if (!fs::is_directory(path_, error)) {
    if (path_.extension() == ".json") {
      read_shards(path_);
    } else {
      content_ = open(path_);
    }
  } else if (fs::exists(path_ / kWeightsFile, error)) {
    content_ = open(path_ / kWeightsFile);
  } else if (fs::exists(path_ / kWeightsIndexFile, error)) {
    read_shards(path_ / kWeightsIndexFile);
  } else {
    fail("{}: no weights: looked for {} and {}{}", path_.string(), kWeightsFile, kWeightsIndexFile,
         others_named(path_));
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
  if (!is_plain_float(stored.dtype)) {
    fail("{}: tensor '{}': dtype {}, expected F32, F16 or BF16", stored.file, name, dtype_name(stored.dtype));
  }
  to_floats(stored.dtype, stored.bytes, out);
}

namespace {

// In pieces, so that no tensor is held twice.
void write_values(std::ostream& stream, DType dtype, std::span<const float> values) {
  constexpr std::size_t kPiece = std::size_t{1} << 20;
  std::vector<std::byte> bytes;
  for (std::size_t at = 0; at < values.size(); at += kPiece) {
    const std::span<const float> piece = values.subspan(at, std::min(kPiece, values.size() - at));
    bytes.resize(piece.size() * dtype_bytes(dtype));
    from_floats(dtype, piece, bytes);
    stream.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  }
}

}  // namespace

void write_safetensors(const fs::path& path, std::span<const TensorToStore> tensors,
                       const std::map<std::string, std::string>& metadata) {
  std::map<std::string, const TensorToStore*> sorted;
  Json header = Json::object();
  header[kMetadataKey] = metadata;
  if (!metadata.contains("format")) header[kMetadataKey]["format"] = "pt";
  for (const TensorToStore& tensor : tensors) {
    const bool plain = is_plain_float(tensor.dtype) && (tensor.fill || tensor.numel() == tensor.values.size());
    WITAN_ASSERT(tensor.fill_bytes || plain);
    WITAN_ASSERT(tensor.name != kMetadataKey && sorted.emplace(tensor.name, &tensor).second);
  }
  std::size_t offset = 0;
  for (const auto& [name, tensor] : sorted) {
    const std::size_t end = offset + tensor->numel() * dtype_bytes(tensor->dtype);
    header[name] = {{"dtype", dtype_name(tensor->dtype)}, {"shape", tensor->shape}, {"data_offsets", {offset, end}}};
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
      if (tensor->fill_bytes) {
        PooledVector<std::byte> bytes(tensor->numel() * dtype_bytes(tensor->dtype));
        tensor->fill_bytes(bytes);
        stream.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
        continue;
      }
      if (!tensor->fill) {
        write_values(stream, tensor->dtype, tensor->values);
        continue;
      }
      PooledVector<float> values(tensor->numel());
      tensor->fill(values);
      write_values(stream, tensor->dtype, values);
    }
  });
}

}  // namespace witan
