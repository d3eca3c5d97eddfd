// The table of fuzz targets: one line per target, whose file defines <name>_target(). tests/CMakeLists.txt reads the
// names from here.
#include <array>

#include "base/error.h"
#include "fuzz/target.h"

// clang-format off
#define WITAN_FUZZ_TARGETS(target) \
  target(safetensors) \
  target(safetensors_index) \
  target(stored_values) \
  target(tokenizer_model) \
  target(tokenizer_json) \
  target(chat_template) \
  target(text_documents) \
  target(json) \
  target(model_config) \
  target(encoder_decoder_config) \
  target(generation_config) \
  target(metrics) \
  target(csv) \
  target(mixture_model)
// clang-format on

namespace witan::fuzz {

#define WITAN_DECLARE(name) Target name##_target();
WITAN_FUZZ_TARGETS(WITAN_DECLARE)
#undef WITAN_DECLARE

std::span<const Target> targets() {
#define WITAN_CALL(name) name##_target(),
  static const std::array table = {WITAN_FUZZ_TARGETS(WITAN_CALL)};
#undef WITAN_CALL
  return table;
}

const Target& find_target(std::string_view name) {
  for (const Target& target : targets()) {
    if (target.name == name) return target;
  }
  fail("fuzz: unknown target '{}'", name);
}

}  // namespace witan::fuzz
