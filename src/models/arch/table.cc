// The table of architectures: one line each.
#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/suggest.h"
#include "models/arch/architecture.h"
#include "models/arch/encoder_decoder_architecture.h"
#include "models/arch/equivalence.h"

// clang-format off
// The dense ones first: some with mixtures express them too.
#define WITAN_ARCHITECTURES(architecture) \
  architecture(llama) \
  architecture(mistral) \
  architecture(qwen2) \
  architecture(qwen3) \
  architecture(olmo2) \
  architecture(mixtral) \
  architecture(olmoe) \
  architecture(qwen3_moe) \
  architecture(qwen2_moe) \
  architecture(granitemoe) \
  architecture(deepseek_v3) \
  architecture(deepseek_v2) \
  architecture(dbrx) \
  architecture(gpt_oss) \
  architecture(phimoe) \
  architecture(deepseek) \
  architecture(native)  /* last: it expresses everything */
// clang-format on

namespace witan {

#define WITAN_DECLARE(name)                \
  namespace name {                         \
  extern const Architecture kArchitecture; \
  }
WITAN_ARCHITECTURES(WITAN_DECLARE)
#undef WITAN_DECLARE

std::span<const Architecture* const> architecture_table() {
#define WITAN_ADDRESS(name) &name::kArchitecture,
  static constexpr std::array kTable = {WITAN_ARCHITECTURES(WITAN_ADDRESS)};
#undef WITAN_ADDRESS
  return kTable;
}

const Architecture& find_architecture(std::string_view model_type) {
  std::vector<std::string> known;
  for (const Architecture* architecture : architecture_table()) {
    if (architecture->model_type == model_type) return *architecture;
    known.emplace_back(architecture->model_type);
  }
  if (find_encoder_decoder(model_type) != nullptr) {
    fail("model_type '{}' is an encoder-decoder, expected a decoder: it is loaded to translate, and not trained",
         model_type);
  }
  for (const EncoderDecoderArchitecture* architecture : encoder_decoder_table()) {
    known.emplace_back(architecture->model_type);
  }
  fail("model_type '{}' is not supported (known: {})", model_type, comma_list(known));
}

bool expresses(const Architecture& architecture, const DecoderConfig& config) {
  try {
    return computed_form(architecture.read_config(architecture.write_config(config))) == computed_form(config);
  } catch (const Error&) {  // a size that the architecture does not allow
    return false;
  }
}

const Architecture& architecture_for(const DecoderConfig& config) {
  const std::span<const Architecture* const> table = architecture_table();
  const auto loaded_as = std::find_if(table.begin(), table.end(), [&](const Architecture* architecture) {
    return architecture->model_type == config.model_type;
  });
  if (loaded_as != table.end() && expresses(**loaded_as, config)) return **loaded_as;
  for (const Architecture* architecture : table) {
    if (expresses(*architecture, config)) return *architecture;
  }
  throw_bug("every config has an architecture", __FILE__, __LINE__);
}

}  // namespace witan
