// model.safetensors.index.json beside sound shards, and one file outside of the folder that it must not reach.
#include <fstream>

#include "base/error.h"
#include "formats/safetensors.h"
#include "fuzz/overwrite.h"
#include "fuzz/require.h"
#include "fuzz/target.h"
#include "support/temporary_folder.h"

namespace witan::fuzz {
namespace safetensors_index_fuzz {

std::vector<std::string> seeds() {
  return {R"({"metadata":{"total_size":16},"weight_map":{"a":"one.safetensors","b":"two.safetensors"}})",
          R"({"weight_map":{"b":"two.safetensors"}})", R"({"weight_map":{"c":"../outside.safetensors"}})",
          R"({"weight_map":{"a":"none.safetensors","b":7}})"};
}

// folder/model with two shards, folder/outside.safetensors.
struct Shards {
  Shards() {
    std::filesystem::create_directory(folder / "model");
    write_tensor("model/one.safetensors", "a");
    write_tensor("model/two.safetensors", "b");
    write_tensor("outside.safetensors", "c");
  }
  void write_tensor(const char* file, const char* name) const {
    const std::vector<float> values = {1.0F, 2.0F};
    write_safetensors(folder / file, std::vector<TensorToStore>{{name, {2}, values}});
  }
  test::TemporaryFolder folder;
};

void run(std::string_view input) {
  static const Shards shards;
  overwrite(shards.folder / "model" / "model.safetensors.index.json", input);
  try {
    const SafetensorsReader reader(shards.folder / "model");
    for (const auto& [name, tensor] : reader.tensors()) {
      require(name == "a" || name == "b", "a tensor of a file outside the folder");
      require(tensor.bytes.size() == 8, "a tensor of another size than its file holds");
    }
  } catch (const Error&) {
  }
}

}  // namespace safetensors_index_fuzz

Target safetensors_index_target() {
  return {"safetensors_index", safetensors_index_fuzz::seeds, safetensors_index_fuzz::run};
}

}  // namespace witan::fuzz
