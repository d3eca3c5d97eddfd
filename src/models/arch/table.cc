// The table of architectures: one line each.
#include <array>

#include "base/error.h"
#include "base/suggest.h"
#include "models/arch/architecture.h"

namespace witan {

std::span<const Architecture* const> architecture_table() {
  static constexpr std::array kTable = {
      &kMixtral, &kOlmoe,
      &kWitan,  // last: it expresses everything
  };
  return kTable;
}

const Architecture& find_architecture(std::string_view model_type) {
  std::vector<std::string> known;
  for (const Architecture* architecture : architecture_table()) {
    if (architecture->model_type == model_type) return *architecture;
    known.emplace_back(architecture->model_type);
  }
  fail("model_type '{}' is not supported (known: {})", model_type, comma_list(known));
}

const Architecture& architecture_for(const DecoderConfig& config) {
  for (const Architecture* architecture : architecture_table()) {
    if (architecture->expresses(config)) return *architecture;
  }
  throw_bug("every config has an architecture", __FILE__, __LINE__);
}

}  // namespace witan
