// A checkpoint comes back as it was, or not at all and with a reason.
#include "training/checkpoint.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/file.h"
#include "support/compare.h"
#include "support/error_message.h"
#include "support/temporary_folder.h"
#include "text/tokenizer.h"

namespace witan {
namespace checkpoint_test {

namespace fs = std::filesystem;

std::vector<Parameter> tensors(float value) {
  return {{"model.a", Tensor::full({2, 3}, value)}, {"model.b", Tensor::full({5}, 2.0F * value)}};
}

TrainingState state() {
  TrainingState result;
  result.settings = preset_settings("tiny");
  result.content_key = "abc";
  result.consumed = {.steps = 7, .tokens = 900, .seconds = 0.1 + 0.2};
  result.updates = 7;
  result.next_batch = 14;
  result.routing_position = (std::uint64_t{1} << 63) + 5;  // beyond what a double holds
  result.threads = 3;
  result.instruction_set = "avx2";
  return result;
}

class CheckpointTest : public testing::Test {
 protected:
  void SetUp() override { save_checkpoint(folder_, state(), tensors(1.5F), *make_byte_tokenizer()); }
  std::string loading() const {
    return test::error_message([&] {
      load_training_state(folder_);
      load_tensors(folder_, tensors(0.0F));
    });
  }
  void edit_state(const std::function<void(nlohmann::json&)>& edit) {
    nlohmann::json object = nlohmann::json::parse(read_text_file(folder_ / "state.json"));
    edit(object);
    write_file(folder_ / "state.json", object.dump());
  }

  test::TemporaryFolder root_;
  fs::path folder_ = root_ / "checkpoint";
};

TEST_F(CheckpointTest, ComesBackAsItWas) {
  const TrainingState read = load_training_state(folder_);
  EXPECT_EQ(read.content_key, "abc");
  EXPECT_EQ(read.consumed.steps, 7);
  EXPECT_EQ(read.consumed.tokens, 900);
  EXPECT_EQ(read.consumed.seconds, 0.1 + 0.2);
  EXPECT_EQ(read.updates, 7);
  EXPECT_EQ(read.next_batch, 14);
  EXPECT_EQ(read.routing_position, (std::uint64_t{1} << 63) + 5);
  EXPECT_EQ(read.threads, 3);
  EXPECT_EQ(read.instruction_set, "avx2");
  EXPECT_TRUE(differing_fields(read.settings, state().settings).empty());
  const std::vector<Parameter> loaded = tensors(0.0F);
  load_tensors(folder_, loaded);
  EXPECT_TRUE(test::identical(loaded[0].value.values(), tensors(1.5F)[0].value.values()));
  EXPECT_TRUE(test::identical(loaded[1].value.values(), tensors(1.5F)[1].value.values()));
  EXPECT_EQ(load_tokenizer(folder_)->vocab_size(), make_byte_tokenizer()->vocab_size());
}

TEST_F(CheckpointTest, ANewOneTakesThePlaceOfTheOld) {
  TrainingState later = state();
  later.consumed.steps = 8;
  save_checkpoint(folder_, later, tensors(2.5F), *make_byte_tokenizer());
  EXPECT_EQ(load_training_state(folder_).consumed.steps, 8);
}

TEST_F(CheckpointTest, ACrashBetweenTheRenamesIsReadAroundAndLeftAsItIs) {
  fs::rename(folder_, root_ / ".checkpoint.old");
  EXPECT_EQ(load_training_state(folder_).consumed.steps, 7);
  EXPECT_TRUE(fs::exists(root_ / ".checkpoint.old")) << "a trainer may be between its two renames";
  EXPECT_FALSE(fs::exists(folder_));
}

TEST_F(CheckpointTest, NothingThere) {
  fs::remove_all(folder_);
  EXPECT_NE(loading().find("no checkpoint here"), std::string::npos) << loading();
}

TEST_F(CheckpointTest, TruncatedTensors) {
  fs::resize_file(folder_ / "tensors.safetensors", fs::file_size(folder_ / "tensors.safetensors") - 4);
  EXPECT_NE(loading().find("tensors.safetensors"), std::string::npos) << loading();
}

TEST_F(CheckpointTest, TruncatedState) {
  fs::resize_file(folder_ / "state.json", 40);
  EXPECT_NE(loading().find("state.json: damaged"), std::string::npos) << loading();
}

TEST_F(CheckpointTest, ForeignFormatAndLaterVersion) {
  edit_state([](nlohmann::json& object) { object["version"] = 99; });
  EXPECT_NE(loading().find("checkpoint version 99"), std::string::npos) << loading();
  edit_state([](nlohmann::json& object) { object["format"] = "another"; });
  EXPECT_NE(loading().find("not a checkpoint of witan train"), std::string::npos) << loading();
  write_file(folder_ / "state.json", "[1, 2]");
  EXPECT_NE(loading().find("not a checkpoint of witan train"), std::string::npos) << loading();
}

TEST_F(CheckpointTest, DamagedFields) {
  edit_state([](nlohmann::json& object) { object["steps"] = "many"; });
  EXPECT_NE(loading().find("state.json: damaged"), std::string::npos) << loading();
  edit_state([](nlohmann::json& object) { object["steps"] = -1; });
  EXPECT_NE(loading().find("below 0"), std::string::npos) << loading();
  edit_state([](nlohmann::json& object) {
    object["steps"] = 1;
    object["threads"] = 0;
  });
  EXPECT_NE(loading().find("threads=0 is not between 1 and 4096"), std::string::npos) << loading();
  edit_state([](nlohmann::json& object) {
    object["threads"] = 1;
    object["settings"].erase("hidden_size");
  });
  EXPECT_NE(loading().find("'hidden_size' is missing"), std::string::npos) << loading();
}

TEST_F(CheckpointTest, TensorsOfAnotherModel) {
  const auto message = [&](std::vector<Parameter> wanted) {
    return test::error_message([&] { load_tensors(folder_, wanted); });
  };
  EXPECT_NE(message({tensors(0)[0]}).find("'model.b'"), std::string::npos) << message({tensors(0)[0]});
  std::vector<Parameter> more = tensors(0);
  more.push_back({"model.c", Tensor::zeros({1})});
  EXPECT_NE(message(more).find("model.c"), std::string::npos) << message(more);
  std::vector<Parameter> reshaped = tensors(0);
  reshaped[1].value = Tensor::zeros({6});
  EXPECT_NE(message(reshaped).find("model.b"), std::string::npos) << message(reshaped);
}

}  // namespace checkpoint_test
}  // namespace witan
