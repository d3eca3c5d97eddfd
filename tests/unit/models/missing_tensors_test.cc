// Every tensor that a folder lacks is named, before anything is made of the rest.
#include <gtest/gtest.h>

#include "formats/safetensors.h"
#include "inspection/inventory.h"
#include "models/checkpoint_folder.h"
#include "support/error_message.h"
#include "support/temporary_folder.h"
#include "support/tiny_models.h"

namespace witan {
namespace missing_tensors_test {

struct Stored {
  std::string name;
  std::vector<std::int64_t> shape;
  std::vector<float> values;
};

std::vector<Stored> read_all(const std::filesystem::path& folder) {
  std::vector<Stored> all;
  const SafetensorsReader reader(folder);
  for (const auto& [name, tensor] : reader.tensors()) {
    Stored one{name, tensor.shape, std::vector<float>(static_cast<std::size_t>(tensor.numel()))};
    reader.read_f32(name, one.shape, one.values);
    all.push_back(std::move(one));
  }
  return all;
}

void write_without(const std::filesystem::path& folder, const std::vector<Stored>& all, const std::string& missing) {
  std::vector<TensorToStore> tensors;
  for (const Stored& one : all) {
    if (one.name != missing) tensors.push_back({one.name, one.shape, one.values});
  }
  write_safetensors(folder / "model.safetensors", tensors);
}

TEST(MissingTensorsTest, AreNamedInEveryArchitecture) {
  for (const test::NamedConfig& named : test::tiny_configs()) {
    const test::TemporaryFolder folder;
    save_model(Decoder(named.config, 5), folder.path());
    const std::vector<Stored> all = read_all(folder.path());
    for (std::size_t i = 0; i < all.size(); i += 1 + all.size() / 7) {
      write_without(folder.path(), all, all[i].name);
      for (const auto& message : {test::error_message([&] { load_model(folder.path()); }),
                                  test::error_message([&] { take_inventory(folder.path()); })}) {
        EXPECT_NE(message.find("the weights lack '" + all[i].name + "'"), std::string::npos)
            << named.name << ", " << all[i].name << ": " << message;
      }
    }
  }
}

}  // namespace missing_tensors_test
}  // namespace witan
