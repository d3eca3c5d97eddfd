// What of a model's folder comes along, and its weights as numbers.
#include "models/released_files.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/file.h"
#include "support/error_message.h"
#include "support/temporary_folder.h"

namespace witan {
namespace released_files_test {

TEST(CompanionFilesTest, AreAllButTheConfigAndWeightsOfAnyFormat) {
  const test::TemporaryFolder from;
  for (const char* name :
       {"config.json", "generation_config.json", "tokenizer.json", "sentencepiece.bpe.model", "vocab.txt", "LICENSE",
        "chat_template.jinja", "model.safetensors", "model-00001-of-00002.safetensors", "model.safetensors.index.json",
        "pytorch_model.bin", "pytorch_model.bin.index.json", "consolidated.00.pth", "model.gguf", "tf_model.h5"}) {
    write_file(from / name, name);
  }
  write_file(from / "original" / "params.json", "{}");
  const test::TemporaryFolder to;
  copy_companions(from.path(), to.path());
  std::vector<std::string> names;
  for (const std::filesystem::path& file : companion_files(to.path())) {
    names.push_back(file.filename().string());
    EXPECT_EQ(read_text_file(file), names.back());
  }
  EXPECT_EQ(names, (std::vector<std::string>{"LICENSE", "chat_template.jinja", "generation_config.json",
                                             "sentencepiece.bpe.model", "tokenizer.json", "vocab.txt"}));
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(to.path()), {}), 6);
}

TEST(WeightFilesTest, AreNumbersInTheShapeThatIsStored) {
  const test::TemporaryFolder folder;
  const std::vector<float> values = {1, 2, 3, 4, 5, 6};
  write_safetensors(folder / kWeightsFile, std::vector<TensorToStore>{{"w", {2, 3}, values, DType::kBF16}});
  const WeightFiles files(folder.path(), nlohmann::json::object());
  EXPECT_TRUE(std::ranges::equal(files.read("w"), values));
  EXPECT_EQ(files.values().shape("w"), (std::vector<std::int64_t>{2, 3}));
  const std::string message = test::error_message([&] {
    WeightFiles(folder.path(), {{"quantization_config", {{"quant_method", "gptq"}}}});
  });
  EXPECT_NE(message.find("config.json: key 'quantization_config'"), std::string::npos) << message;
}

}  // namespace released_files_test
}  // namespace witan
