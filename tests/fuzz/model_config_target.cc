// config.json of a model whose weights are sound.
#include "base/error.h"
#include "base/file.h"
#include "base/pool.h"
#include "fuzz/overwrite.h"
#include "fuzz/require.h"
#include "fuzz/target.h"
#include "models/checkpoint_folder.h"
#include "support/temporary_folder.h"
#include "support/tiny_models.h"

namespace witan::fuzz {
namespace model_config_fuzz {

std::vector<std::string> seeds() {
  std::vector<test::NamedConfig> models = test::tiny_configs();
  models.push_back({"hash", "witan", test::tiny_config()});  // its tables are as long as the config says
  models.back().config.moe.router = "hash";
  std::vector<std::string> configs;
  for (const test::NamedConfig& named : models) {
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

constexpr std::size_t kMostMemory = std::size_t{8} << 20;  // for files of less than 100 kB

void run(std::string_view input) {
  static const Model model;
  overwrite(model.folder / "config.json", input);
  const std::size_t in_use = pool_statistics().bytes_in_use;
  pool_reset_peak();
  try {
    load_model(model.folder.path());
  } catch (const Error&) {
  }
  require(pool_statistics().peak_bytes_in_use - in_use < kMostMemory, "memory for what the files do not hold");
}

}  // namespace model_config_fuzz

Target model_config_target() { return {"model_config", model_config_fuzz::seeds, model_config_fuzz::run}; }

}  // namespace witan::fuzz
