// safetensors and expected.json to dumps.
#include "inference/dump_file.h"

#include <fmt/core.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>
#include <tuple>

#include "base/error.h"
#include "base/json.h"
#include "base/number_list.h"
#include "formats/safetensors.h"

namespace witan {
namespace {

constexpr const char* kTokens = "tokens";
constexpr const char* kOutputTokens = "output_tokens";
constexpr const char* kModelType = "model_type";

bool is_index(std::string_view name) { return name.ends_with(".topk_index"); }

std::string tokens_text(const std::vector<std::int32_t>& tokens) {
  return integers_text(std::vector<std::int64_t>(tokens.begin(), tokens.end()));
}

std::vector<std::int32_t> tokens_of(const std::map<std::string, std::string>& metadata, const char* key,
                                    const std::string& file) {
  const auto found = metadata.find(key);
  if (found == metadata.end()) return {};
  return parse_token_ids(fmt::format("{}: {}", file, key), found->second);
}

template <class Integer>
void integers_to_floats(std::span<const std::byte> bytes, std::span<float> out) {
  for (std::size_t i = 0; i < out.size(); ++i) {
    Integer value = 0;
    std::memcpy(&value, bytes.data() + i * sizeof value, sizeof value);
    out[i] = static_cast<float>(value);
  }
}

DumpedTensor to_dumped(const std::string& name, const StoredTensor& stored) {
  DumpedTensor tensor{name, stored.shape, PooledVector<float>(static_cast<std::size_t>(stored.numel()))};
  if (is_plain_float(stored.dtype)) {
    to_floats(stored.dtype, stored.bytes, tensor.values);
  } else if (stored.dtype == DType::kI64) {
    integers_to_floats<std::int64_t>(stored.bytes, tensor.values);
  } else if (stored.dtype == DType::kI32) {
    integers_to_floats<std::int32_t>(stored.bytes, tensor.values);
  } else {
    fail("{}: tensor '{}': dtype {}, expected F32, F16, BF16, I32 or I64", stored.file, name, dtype_name(stored.dtype));
  }
  return tensor;
}

TensorDump read_safetensors_dump(const std::filesystem::path& file) {
  const SafetensorsReader reader(file);
  TensorDump dump;
  const auto type = reader.metadata().find(kModelType);
  if (type != reader.metadata().end()) dump.model_type = type->second;
  dump.tokens = tokens_of(reader.metadata(), kTokens, file.string());
  dump.output_tokens = tokens_of(reader.metadata(), kOutputTokens, file.string());
  for (const auto& [name, stored] : reader.tensors()) dump.tensors.push_back(to_dumped(name, stored));
  return dump;
}

// A value at a place in an expected.json, with errors that name it.
class ExpectedFile {
 public:
  explicit ExpectedFile(const std::filesystem::path& file) : file_(file.string()), json_(read_json_object(file)) {}

  TensorDump read() const {
    TensorDump dump;
    if (json_.contains("encoder_prompts")) {
      dump.tokens = ids(first("encoder_prompts"), "encoder_prompts");
      dump.output_tokens = ids(first("decoder_input_ids"), "decoder_input_ids");
      add_matrix(dump, "encoder.final_norm", at("encoder_last_hidden_first_prompt"));
      add_matrix(dump, "logits", first("decoder_logits"));
      if (json_.contains("router")) add_routing(dump, first("router"), true);
      return dump;
    }
    if (!json_.contains("prompts")) fail("{}: neither a dump nor an expected.json: 'prompts' is missing", file_);
    dump.tokens = ids(first("prompts"), "prompts");
    add_matrix(dump, "logits", at("logits_all_first_prompt"));
    if (json_.contains("router")) add_routing(dump, at("router"), false);
    return dump;
  }

 private:
  const nlohmann::json& at(const char* key) const {
    const auto found = json_.find(key);
    if (found == json_.end()) fail("{}: '{}' is missing", file_, key);
    return *found;
  }
  const nlohmann::json& first(const char* key) const {
    const nlohmann::json& list = at(key);
    if (!list.is_array() || list.empty()) fail("{}: '{}': expected a list with an entry per prompt", file_, key);
    return list.front();
  }
  std::vector<std::int32_t> ids(const nlohmann::json& list, const char* key) const {
    std::vector<std::int32_t> tokens;
    for (const nlohmann::json& id : list) {
      if (!id.is_number_unsigned() || id > std::numeric_limits<std::int32_t>::max()) {
        fail("{}: '{}': {} is no token id", file_, key, id.dump());
      }
      tokens.push_back(id.get<std::int32_t>());
    }
    return tokens;
  }
  void add_matrix(TensorDump& dump, const std::string& name, const nlohmann::json& rows) const {
    DumpedTensor tensor{name, {static_cast<std::int64_t>(rows.size()), 0}, {}};
    if (!rows.is_array() || rows.empty()) fail("{}: {}: expected a list of rows", file_, name);
    for (const nlohmann::json& row : rows) {
      if (!row.is_array() || row.size() != rows.front().size()) {
        fail("{}: {}: expected rows of one length", file_, name);
      }
      for (const nlohmann::json& value : row) {
        if (!value.is_number()) fail("{}: {}: {} is no number", file_, name, value.dump());
        tensor.values.push_back(value.get<float>());
      }
    }
    tensor.shape[1] = static_cast<std::int64_t>(rows.front().size());
    dump.tensors.push_back(std::move(tensor));
  }
  void add_routing(TensorDump& dump, const nlohmann::json& layers, bool has_sides) const {
    for (const nlohmann::json& layer : layers) {
      if (!layer.is_object() || !layer.contains("layer") || !layer["layer"].is_string()) {
        fail("{}: router: expected objects with the name of a layer", file_);
      }
      const std::string name = layer["layer"].get<std::string>();
      const std::string prefix = mixture_prefix(name, has_sides);
      if (prefix.empty()) fail("{}: router: '{}' names no layer", file_, name);
      for (const auto& [key, part] : {std::pair{"experts", ".topk_index"}, std::pair{"weights", ".topk_weight"}}) {
        if (layer.contains(key)) add_matrix(dump, prefix + part, layer[key]);
      }
    }
  }

  std::string file_;
  nlohmann::json json_;
};

}  // namespace

std::vector<std::int32_t> parse_token_ids(const std::string& where, const std::string& text) {
  std::vector<std::int32_t> tokens;
  for (const std::int64_t id : parse_integers(where, text)) {
    if (id < 0 || id > std::numeric_limits<std::int32_t>::max()) fail("{}: {} is no token id", where, id);
    tokens.push_back(static_cast<std::int32_t>(id));
  }
  return tokens;
}

void write_dump(const std::filesystem::path& file, const TensorDump& dump) {
  std::vector<TensorToStore> tensors;
  for (const DumpedTensor& tensor : dump.tensors) {
    TensorToStore stored{tensor.name, tensor.shape, tensor.values, DType::kF32};
    if (is_index(tensor.name)) {
      stored.dtype = DType::kI32;
      stored.fill_bytes = [&tensor](std::span<std::byte> out) {
        for (std::size_t i = 0; i < tensor.values.size(); ++i) {
          const auto index = static_cast<std::int32_t>(tensor.values[i]);
          std::memcpy(out.data() + i * sizeof index, &index, sizeof index);
        }
      };
    }
    tensors.push_back(std::move(stored));
  }
  std::map<std::string, std::string> metadata = {{kModelType, dump.model_type}, {kTokens, tokens_text(dump.tokens)}};
  if (!dump.output_tokens.empty()) metadata[kOutputTokens] = tokens_text(dump.output_tokens);
  write_safetensors(file, tensors, metadata);
}

TensorDump read_dump(const std::filesystem::path& file) {
  TensorDump dump = file.extension() == ".json" ? ExpectedFile(file).read() : read_safetensors_dump(file);
  std::ranges::stable_sort(dump.tensors, {}, [](const DumpedTensor& tensor) {
    return std::tuple(graph_position(tensor.name), tensor.name);
  });
  return dump;
}

}  // namespace witan
