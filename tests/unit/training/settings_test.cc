// Presets, JSON both ways, and what counts as another run.
#include "training/settings.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "models/parameter_counts.h"
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

// Du et al. 2022, table 4: 1.2 T parameters, 96.6 G of them active. Lepikhin et al. 2021, table 1: 600 G.
TEST(SettingsTest, PublishedModelsHaveTheirPublishedSizes) {
  const ParameterCounts glam = count_parameters(preset_settings("glam").model);
  EXPECT_NEAR(static_cast<double>(glam.total), 1162e9, 2e9);
  EXPECT_NEAR(static_cast<double>(glam.active), 96.6e9, 0.2e9);
  const ParameterCounts gshard = count_parameters(preset_settings("gshard").model);
  EXPECT_NEAR(static_cast<double>(gshard.total), 600e9, 25e9);
  EXPECT_LT(count_parameters(preset_settings("glam_small").model).total, 10'000'000);
  EXPECT_LT(count_parameters(preset_settings("gshard_small").model).total, 15'000'000);
}

TEST(SettingsTest, UnknownPresetNamesTheNearest) {
  const std::string message = test::error_message([] { preset_settings("quikstart"); });
  EXPECT_NE(message.find("unknown preset 'quikstart'"), std::string::npos) << message;
  EXPECT_NE(message.find("'quickstart'"), std::string::npos) << message;
}

TEST(SettingsTest, NamesThatJsonCannotHoldAreRefused) {
  TrainSettings settings = preset_settings("tiny");
  settings.data.paths = {"fine", "caf\xE9"};
  EXPECT_NE(test::error_message([&] { settings.validate(); }).find("caf\xE9: the name is not UTF-8"),
            std::string::npos);
  settings.data.paths.clear();
  settings.data.tokenizer = "caf\xE9";
  EXPECT_THROW(settings.validate(), Error);
}

// Flags are made before a preset fills the settings.
TEST(SettingsTest, FieldsReferToTheSettingsAfterAPreset) {
  TrainSettings settings = preset_settings("quickstart");
  const Fields fields = settings.deciding_fields();
  settings = preset_settings("tiny");
  for (const Field& field : fields.all()) {
    EXPECT_EQ(field.text(), settings.deciding_fields().find(field.name).text()) << field.name;
  }
  fields.find("tree_branching").set("2x2");
  fields.find("sinkhorn_rounds").set("17");
  fields.find("balance_devices").set("2");
  EXPECT_EQ(settings.model.moe.gate_extra.text("tree_branching"), "2x2");
  EXPECT_EQ(settings.model.moe.router_extra.integer("sinkhorn_rounds"), 17);
  EXPECT_EQ(settings.deciding_fields().find("balance_devices").text(), "2");
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

TEST(SettingsTest, JsonRemembersTheModelThatARunGoesOnFrom) {
  TrainSettings settings = preset_settings("tiny");
  settings.from = "/models/base";
  settings.model.model_type = "olmoe";
  settings.model.bos_token_id = 3;
  settings.model.eos_token_ids = {4, 9};
  settings.model.moe.num_experts_per_tok = 1;  // of a released model, whose router may learn nothing
  settings.model.moe.allow_constant_weight = true;
  const nlohmann::json saved = settings_to_json(settings);
  const TrainSettings read = settings_from_json(saved);
  EXPECT_EQ(settings_to_json(read), saved);
  EXPECT_EQ(read.from, "/models/base");
  EXPECT_EQ(read.model.model_type, "olmoe");
  EXPECT_EQ(read.model.eos_token_ids, (std::vector<std::int64_t>{4, 9}));
  EXPECT_NO_THROW(read.validate());
  nlohmann::json older = settings_to_json(preset_settings("tiny"));
  older.erase("from");
  EXPECT_TRUE(settings_from_json(older).from.empty());
  nlohmann::json damaged = saved;
  damaged["from"].erase("folder");
  const std::string message = test::error_message([&] { settings_from_json(damaged); });
  EXPECT_NE(message.find("settings: from: "), std::string::npos) << message;
}

TEST(SettingsTest, AModelThatIsTrainedOnKeepsWhatItsTensorsDependOn) {
  const DecoderConfig origin = preset_settings("tiny").model;
  DecoderConfig now = origin;
  now.hidden_size = 64;
  now.moe.num_experts = 9;
  now.moe.hidden_act = "relu";
  now.moe.num_experts_per_tok = 3;
  now.moe.router_aux_loss_coef = 0.5;
  now.moe.capacity_factor = 1.5;
  now.moe.router = "gshard";
  now.moe.router_jitter_noise = 0.1;
  std::set<std::string> all;
  const Fields fields = now.fields();
  for (const Field& field : fields.all()) all.insert(field.name);
  const std::vector<std::string> expected = {"hidden_size: 64, the model has 32", "num_experts: 9, the model has 4",
                                             "hidden_act: relu, the model has silu"};
  EXPECT_EQ(contradictions(now, origin, all), expected);
  EXPECT_TRUE(contradictions(now, origin, {"router", "vocab_size"}).empty()) << "nobody chose the others";
  EXPECT_TRUE(contradictions(origin, origin, all).empty());
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
