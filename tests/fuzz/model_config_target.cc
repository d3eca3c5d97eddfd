// config.json of a model whose weights are sound.
#include "base/error.h"
#include "base/file.h"
#include "fuzz/overwrite.h"
#include "fuzz/target.h"
#include "models/checkpoint_folder.h"
#include "support/temporary_folder.h"
#include "support/tiny_models.h"

namespace witan::fuzz {
namespace model_config_fuzz {

std::vector<std::string> seeds() {
  std::vector<std::string> configs;
  for (const test::NamedConfig& named : test::tiny_configs()) {
    const test::TemporaryFolder folder;
    save_model(Decoder(named.config, 1), folder.path());
    configs.push_back(read_text_file(folder / "config.json"));
  }
  return configs;
}

// The weights that most seeds fit.
struct Model {
  Model() { save_model(Decoder(test::tiny_config(), 1), folder.path()); }
  test::TemporaryFolder folder;
};

void run(std::string_view input) {
  static const Model model;
  overwrite(model.folder / "config.json", input);
  try {
    load_model(model.folder.path());
  } catch (const Error&) {
  }
}

}  // namespace model_config_fuzz

Target model_config_target() { return {"model_config", model_config_fuzz::seeds, model_config_fuzz::run}; }

}  // namespace witan::fuzz
