// Every stored tensor is read as numbers when its turn comes, and written as what it is to be.
#include "models/convert_folder.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/error.h"
#include "base/file.h"
#include "base/suggest.h"
#include "formats/quantize.h"
#include "formats/sharded_safetensors.h"
#include "models/released_files.h"

namespace witan {
namespace {

constexpr std::int64_t kBlock = 128;
constexpr std::string_view kF8 = "f8_e4m3";
constexpr std::string_view kMxfp4 = "mxfp4";

struct PlainName {
  const char* name;
  DType dtype;
  const char* torch;  // in config.json
};
constexpr std::array<PlainName, 3> kPlain = {
    {{"bf16", DType::kBF16, "bfloat16"}, {"f16", DType::kF16, "float16"}, {"f32", DType::kF32, "float32"}}};

std::optional<PlainName> find_plain(std::string_view name) {
  const auto* const found = std::ranges::find(kPlain, name, [](const PlainName& plain) { return plain.name; });
  return found == kPlain.end() ? std::nullopt : std::optional(*found);
}

// Of a linear layer that DeepSeek's and transformers' F8 would quantize.
bool is_linear(std::string_view name, std::size_t rank) {
  if (rank != 2 || !name.ends_with(".weight")) return false;
  for (const std::string_view other :
       {"embed", "wte.", "shared.weight", "lm_head", "router", "norm", "relative_attention"}) {
    // Attention of dbrx lies below "norm_attn_norm".
    const std::size_t at = name.rfind(other);
    if (at != std::string_view::npos && name.find("attn.", at + other.size()) == std::string_view::npos) return false;
  }
  return !name.ends_with("gate.weight");
}

// The numbers of one folder.
class Source {
 public:
  explicit Source(const std::filesystem::path& folder)
      : config_(read_config_file(folder)),
        files_(folder, config_),
        is_gpt_oss_(naming(folder / kConfigFile, [&] { return model_type_of(config_); }) == "gpt_oss") {}

  const nlohmann::json& config() const { return config_; }
  const SafetensorsReader& reader() const { return files_.reader(); }
  const StoredValues& values() const { return files_.values(); }
  bool is_gpt_oss() const { return is_gpt_oss_; }

  bool is_quantized(const std::string& name) const {
    return values().is_mxfp4(name) || reader().tensor(name).dtype == DType::kF8E4M3;
  }
  // Experts that gpt_oss stores in one tensor, [E, in, out], or packed as [E, out, in].
  bool is_turned(const std::string& name) const {
    return is_gpt_oss_ && name.find(".mlp.experts.") != std::string::npos && values().shape(name).size() == 3;
  }
  // Of the numbers, as plain floats of this model are stored.
  std::vector<std::int64_t> shape(const std::string& name) const {
    std::vector<std::int64_t> shape = values().shape(name);
    if (values().is_mxfp4(name) && is_turned(name)) std::swap(shape[1], shape[2]);
    return shape;
  }
  // In the order of shape(), or with `packed` in that of packed experts.
  PooledVector<float> read(const std::string& name, bool packed) const {
    PooledVector<float> numbers = files_.read(name);
    for (const float value : numbers) {
      if (!std::isfinite(value)) fail("tensor '{}': {} is no number that can be converted", name, value);
    }
    if (is_turned(name) && values().is_mxfp4(name) != packed) {
      return with_last_two_exchanged(values().shape(name), numbers);
    }
    return numbers;
  }

 private:
  nlohmann::json config_;
  WeightFiles files_;
  bool is_gpt_oss_;
};

// What was quantized last: its values and its scales are two tensors, written one after the other.
template <class Blocks>
class Latest {
 public:
  template <class Make>
  const Blocks& of(const std::string& name, const Make& make) {
    if (name != name_) blocks_ = make();
    name_ = name;
    return blocks_;
  }

 private:
  std::string name_;
  Blocks blocks_;
};

template <class Values>
void copy_bytes(const Values& values, std::span<std::byte> out) {
  WITAN_ASSERT(values.size() * sizeof(values[0]) == out.size());
  if (!out.empty()) std::memcpy(out.data(), values.data(), out.size());
}

class Converter {
 public:
  Converter(const Source& source, const ConvertOptions& options) : source_(source), plain_(find_plain(options.dtype)) {
    f8_ = options.dtype == kF8;
    mxfp4_ = options.dtype == kMxfp4;
    if (!plain_ && !f8_ && !mxfp4_) {
      fail("convert: unknown dtype '{}'{}", options.dtype, suggestion(options.dtype, convert_dtypes()));
    }
    if (mxfp4_ && !source.is_gpt_oss()) {
      fail("convert: mxfp4 with model_type '{}', expected gpt_oss: no other release stores experts so",
           model_type_of(source.config()));
    }
    for (const std::string& name : source.values().names()) add(name);
    if (!plain_ && size_.quantized == 0) fail("convert: no tensor is of a kind that is stored as {}", options.dtype);
  }

  const std::vector<TensorToStore>& tensors() const { return tensors_; }
  ConvertedSize size() const {
    ConvertedSize size = size_;
    size.tensors = static_cast<std::int64_t>(tensors_.size());
    for (const TensorToStore& tensor : tensors_) {
      size.bytes += static_cast<std::int64_t>(tensor.numel() * dtype_bytes(tensor.dtype));
    }
    return size;
  }

  nlohmann::json config() const {
    nlohmann::json json = source_.config();
    if (plain_) {
      json.erase("quantization_config");
      json[json.contains("dtype") ? "dtype" : "torch_dtype"] = plain_->torch;
    } else if (f8_) {
      json["quantization_config"] = {{"quant_method", "fp8"},
                                     {"fmt", "e4m3"},
                                     {"activation_scheme", "dynamic"},
                                     {"weight_block_size", {kBlock, kBlock}},
                                     {"modules_to_not_convert", plain_modules_}};
    } else {
      json["quantization_config"] = {
          {"quant_method", "mxfp4"},
          {"modules_to_not_convert",
           {"model.layers.*.self_attn", "model.layers.*.mlp.router", "model.embed_tokens", "lm_head"}}};
    }
    return json;
  }

 private:
  void add(const std::string& name) {
    if (!source_.values().is_number(name)) {
      keep(name);
      return;
    }
    const std::vector<std::int64_t> shape = source_.shape(name);
    if (plain_) {
      add_plain(name, shape, plain_->dtype);
    } else if (f8_ && is_linear(name, shape.size())) {
      add_scaled(name, shape);
    } else if (mxfp4_ && source_.is_turned(name)) {
      add_packed(name, shape);
    } else if (source_.is_quantized(name)) {  // by the other way to quantize, which one config cannot say as well
      add_plain(name, shape, DType::kBF16);
    } else {
      constexpr std::string_view kWeight = ".weight";
      if (shape.size() == 2 && name.ends_with(kWeight)) {
        plain_modules_.push_back(name.substr(0, name.size() - kWeight.size()));
      }
      keep(name);
    }
  }
  void keep(const std::string& name) {
    const StoredTensor& stored = source_.reader().tensor(name);
    TensorToStore tensor{name, stored.shape, {}, stored.dtype};
    tensor.fill_bytes = [bytes = stored.bytes](std::span<std::byte> out) { copy_bytes(bytes, out); };
    tensors_.push_back(std::move(tensor));
  }
  void add_plain(const std::string& name, const std::vector<std::int64_t>& shape, DType dtype) {
    TensorToStore tensor{name, shape, {}, dtype};
    tensor.fill = [this, name, dtype](std::span<float> out) {
      const PooledVector<float> values = source_.read(name, false);
      if (dtype == DType::kF16) require_f16(name, values);
      std::ranges::copy(values, out.begin());
    };
    tensors_.push_back(std::move(tensor));
  }
  void add_scaled(const std::string& name, const std::vector<std::int64_t>& shape) {
    const auto scaled = [this, name, shape]() -> const ScaledBlocks& {
      return scaled_.of(
          name, [&] { return to_scaled_blocks(source_.read(name, false), shape[0], shape[1], kBlock, kBlock); });
    };
    TensorToStore values{name, shape, {}, DType::kF8E4M3};
    values.fill_bytes = [scaled](std::span<std::byte> out) { copy_bytes(scaled().values, out); };
    tensors_.push_back(std::move(values));
    TensorToStore scales{
        name + "_scale_inv", {num_blocks(shape[0], kBlock), num_blocks(shape[1], kBlock)}, {}, DType::kF32};
    scales.fill = [scaled](std::span<float> out) { std::ranges::copy(scaled().scales, out.begin()); };
    tensors_.push_back(std::move(scales));
    ++size_.quantized;
  }
  void add_packed(const std::string& name, const std::vector<std::int64_t>& shape) {
    constexpr auto kValues = static_cast<std::int64_t>(kMxfp4Block);
    if (shape[1] % kValues != 0) {
      fail("tensor '{}': shape {} for mxfp4, expected a width of the input that is a multiple of {}", name,
           shape_text(shape), kValues);
    }
    const auto packed = [this, name]() -> const Mxfp4Blocks& {
      return packed_.of(name, [&] { return to_mxfp4(source_.read(name, true)); });
    };
    TensorToStore blocks{name + "_blocks", {shape[0], shape[2], shape[1] / kValues, kValues / 2}, {}, DType::kU8};
    blocks.fill_bytes = [packed](std::span<std::byte> out) { copy_bytes(packed().blocks, out); };
    tensors_.push_back(std::move(blocks));
    TensorToStore scales{name + "_scales", {shape[0], shape[2], shape[1] / kValues}, {}, DType::kU8};
    scales.fill_bytes = [packed](std::span<std::byte> out) { copy_bytes(packed().scales, out); };
    tensors_.push_back(std::move(scales));
    ++size_.quantized;
  }

  const Source& source_;
  Latest<ScaledBlocks> scaled_;
  Latest<Mxfp4Blocks> packed_;
  std::optional<PlainName> plain_;
  bool f8_ = false;
  bool mxfp4_ = false;
  ConvertedSize size_;
  std::vector<TensorToStore> tensors_;
  std::vector<std::string> plain_modules_;  // matrices that F8 leaves as they are
};

}  // namespace

std::vector<std::string> convert_dtypes() {
  std::vector<std::string> names;
  for (const PlainName& plain : kPlain) names.emplace_back(plain.name);
  names.emplace_back(kF8);
  names.emplace_back(kMxfp4);
  return names;
}

ConvertedSize convert_folder(const std::filesystem::path& from, const std::filesystem::path& to,
                             const ConvertOptions& options) {
  if (options.shard_bytes < 1) fail("convert: shard_size={} is below 1", options.shard_bytes);
  const Source source(from);
  Converter converter(source, options);
  naming(from, [&] { write_sharded_safetensors(to, converter.tensors(), options.shard_bytes); });
  write_file(to / kConfigFile, converter.config().dump(2) + "\n");
  copy_companions(from, to);
  return converter.size();
}

}  // namespace witan
