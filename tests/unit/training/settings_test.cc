// Presets, JSON both ways, and what counts as another run.
#include "training/settings.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "support/error_message.h"

namespace witan {
namespace settings_test {

TEST(SettingsTest, EveryPresetIsValid) {
  for (const std::string& name : preset_names()) {
    TrainSettings settings = preset_settings(name);
    EXPECT_EQ(settings.preset, name);
    EXPECT_NO_THROW(settings.validate()) << name;
  }
}

TEST(SettingsTest, UnknownPresetNamesTheNearest) {
  const std::string message = test::error_message([] { preset_settings("quikstart"); });
  EXPECT_NE(message.find("unknown preset 'quikstart'"), std::string::npos) << message;
  EXPECT_NE(message.find("'quickstart'"), std::string::npos) << message;
}

TEST(SettingsTest, JsonRoundTrips) {
  TrainSettings settings = preset_settings("tiny");
  settings.seed = 77;
  settings.threads = 3;
  settings.data.paths = {"/a/b.txt", "/c"};
  settings.model.moe.num_experts = 6;
  settings.schedule.learning_rate = 0.1 + 0.2;  // not a short decimal
  settings.logging.save_steps = 9;
  const nlohmann::json saved = settings_to_json(settings);
  const TrainSettings read = settings_from_json(nlohmann::json::parse(saved.dump()));
  EXPECT_EQ(settings_to_json(read), saved);
  EXPECT_TRUE(differing_fields(read, settings).empty());
  EXPECT_EQ(read.schedule.learning_rate, settings.schedule.learning_rate);
}

TEST(SettingsTest, JsonIsChecked) {
  nlohmann::json object = settings_to_json(preset_settings("tiny"));
  nlohmann::json missing = object;
  missing.erase("hidden_size");
  EXPECT_EQ(test::error_message([&] { settings_from_json(missing); }), "settings: 'hidden_size' is missing");
  nlohmann::json extra = object;
  extra["hiden_size"] = 4;
  EXPECT_THROW(settings_from_json(extra), Error);
  nlohmann::json wrong = object;
  wrong["paths"] = 3;
  EXPECT_THROW(settings_from_json(wrong), Error);
  EXPECT_THROW(settings_from_json(nlohmann::json::array()), Error);
}

TEST(SettingsTest, NamesTheFieldsThatDiffer) {
  const TrainSettings saved = preset_settings("tiny");
  TrainSettings now = saved;
  now.model.hidden_size = 48;
  now.seed = 5;
  now.logging.save_steps = 3;  // decides nothing
  now.threads = 7;
  now.budget.steps = 1000;  // a run may be made longer
  const std::vector<std::string> expected = {"hidden_size: 48, was 32", "seed: 5, was 0"};
  EXPECT_EQ(differing_fields(now, saved), expected);
  now = saved;
  now.data.paths = {"elsewhere"};
  EXPECT_EQ(differing_fields(now, saved).size(), 1U);
}

TEST(SettingsTest, RefusesWhatTheRouterRefuses) {
  TrainSettings settings = preset_settings("tiny");
  settings.model.moe.router = "switch";
  settings.model.moe.num_experts_per_tok = 2;
  const std::string two = test::error_message([&] { settings.validate(); });
  EXPECT_NE(two.find("num_experts_per_tok=2, expected 1"), std::string::npos) << two;
  settings.model.moe.num_experts_per_tok = 1;
  EXPECT_EQ(test::error_message([&] { settings.validate(); }), "no error");
  settings.model.moe.router = "top_k";
  settings.model.moe.weighting = "topk_then_softmax";
  const std::string constant = test::error_message([&] { settings.validate(); });
  EXPECT_NE(constant.find("the router gets no gradient"), std::string::npos) << constant;
}

TEST(SettingsTest, RefusesSequencesLongerThanTheModel) {
  TrainSettings settings = preset_settings("tiny");
  settings.data.sequence_length = 512;
  EXPECT_EQ(test::error_message([&] { settings.validate(); }),
            "data.sequence_length: sequence_length=512 exceeds max_position_embeddings=256");
}

}  // namespace settings_test
}  // namespace witan
