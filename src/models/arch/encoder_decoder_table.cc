// The table of encoder-decoders: one line each; and the keys they share.
#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "models/arch/config_keys.h"
#include "models/arch/encoder_decoder_architecture.h"

// clang-format off
#define WITAN_ENCODER_DECODERS(architecture) \
  architecture(switch_transformers) \
  architecture(nllb_moe)
// clang-format on

namespace witan {

#define WITAN_DECLARE(name)                              \
  namespace name {                                       \
  extern const EncoderDecoderArchitecture kArchitecture; \
  }
WITAN_ENCODER_DECODERS(WITAN_DECLARE)
#undef WITAN_DECLARE

std::span<const EncoderDecoderArchitecture* const> encoder_decoder_table() {
#define WITAN_ADDRESS(name) &name::kArchitecture,
  static constexpr std::array kTable = {WITAN_ENCODER_DECODERS(WITAN_ADDRESS)};
#undef WITAN_ADDRESS
  return kTable;
}

const EncoderDecoderArchitecture* find_encoder_decoder(std::string_view model_type) {
  std::string wanted(model_type);
  std::ranges::replace(wanted, '-', '_');
  for (const EncoderDecoderArchitecture* architecture : encoder_decoder_table()) {
    if (architecture->model_type == wanted) return architecture;
  }
  return nullptr;
}

std::int64_t required_size(const nlohmann::json& json, std::string_view key) {
  if (!given(json, key)) fail("key '{}' is missing", key);
  const std::int64_t size = read_integer(json, key, 0);
  if (size < 1) fail("key '{}': {}, expected at least 1", key, size);
  return size;
}

std::vector<bool> sparse_layers(std::string_view key, std::int64_t layers, std::int64_t step,
                                bool (*is_sparse)(std::int64_t layer, std::int64_t step)) {
  constexpr std::int64_t kMaxLayers = 4096;
  if (layers < 1 || layers > kMaxLayers) fail("key '{}': {} is not between 1 and {}", key, layers, kMaxLayers);
  std::vector<bool> sparse;
  for (std::int64_t layer = 0; layer < layers; ++layer) sparse.push_back(step > 0 && is_sparse(layer, step));
  return sparse;
}

void read_router_keys(const nlohmann::json& json, EncoderDecoderConfig& config) {
  config.num_experts = required_size(json, "num_experts");
  config.router_bias = read_flag(json, "router_bias", false);
  const std::string precision = read_text(json, "router_dtype", "float32");
  if (precision == "float32") {
    config.routing.precision = DType::kF32;
  } else if (precision == "bfloat16") {
    config.routing.precision = DType::kBF16;
  } else if (precision == "float16") {
    config.routing.precision = DType::kF16;
  } else {
    fail("key 'router_dtype': '{}' is not supported (known: float32, bfloat16, float16)", precision);
  }
}

}  // namespace witan
