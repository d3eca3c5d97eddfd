// load_encoder_decoder: which tensors a file may hold besides those of the model. What the models compute is compared
// in tests/golden.
#include "models/encoder_decoder_folder.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "formats/safetensors.h"
#include "support/error_message.h"
#include "support/temporary_folder.h"

namespace witan {
namespace encoder_decoder_folder_test {

namespace fs = std::filesystem;

// A tied Switch whose file holds a head of this shape too.
std::string message_with_head(bool transposed, const char* name = "lm_head.weight") {
  const fs::path golden = fs::path(WITAN_TEST_DATA) / "golden/checkpoints/switch_transformers";
  const test::TemporaryFolder folder;
  fs::copy_file(golden / "config.json", folder / "config.json");
  const SafetensorsReader reader(golden);
  std::vector<std::vector<float>> values;
  std::vector<TensorToStore> tensors;
  values.reserve(reader.tensors().size() + 1);
  for (const auto& [tensor_name, tensor] : reader.tensors()) {
    values.emplace_back(static_cast<std::size_t>(tensor.numel()));
    reader.read_f32(tensor_name, tensor.shape, values.back());
    tensors.push_back({tensor_name, tensor.shape, values.back()});
  }
  std::vector<std::int64_t> shape = reader.tensor("shared.weight").shape;
  values.emplace_back(static_cast<std::size_t>(shape[0] * shape[1]), 1.0F);
  if (transposed) std::swap(shape[0], shape[1]);
  tensors.push_back({name, shape, values.back(), DType::kBF16});
  write_safetensors(folder / "model.safetensors", tensors);
  return test::error_message([&] { load_encoder_decoder(folder.path()); });
}

TEST(EncoderDecoderFolderTest, TheHeadOfATiedModelIsPassedOver) {
  EXPECT_EQ(message_with_head(false), "no error");
  EXPECT_NE(message_with_head(true).find("no place for 'lm_head.weight'"), std::string::npos);
  EXPECT_NE(message_with_head(false, "encoder.embed_tokens.weight").find("no place for"), std::string::npos);
}

}  // namespace encoder_decoder_folder_test
}  // namespace witan
