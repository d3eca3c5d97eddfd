// Model directories: what is saved comes back bit for bit, and everything that is wrong with one is named.
#include "models/checkpoint_folder.h"

#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "base/json.h"
#include "base/pool.h"
#include "formats/safetensors.h"
#include "support/compare.h"
#include "support/error_message.h"
#include "support/mutate.h"
#include "support/temporary_folder.h"
#include "support/tiny_models.h"

namespace witan {
namespace checkpoint_folder_test {

std::vector<float> logits(Decoder& model) {
  const std::vector<std::int32_t> ids = {1, 5, 9, 13, 17, 21, 38, 0};
  Tape off;
  const Tensor result = model.logits(model.forward(off, ids, 1, 8, {}).hidden);
  return {result.values().begin(), result.values().end()};
}

class CheckpointFolderTest : public testing::TestWithParam<test::NamedConfig> {};

TEST_P(CheckpointFolderTest, LoadsBackWithIdenticalLogits) {
  const test::TemporaryFolder folder;
  Decoder model(GetParam().config, 5);
  EXPECT_EQ(expressible_model_type(model.config()), GetParam().model_type);
  save_model(model, folder.path());
  const nlohmann::json json = read_json_file(folder / "config.json");
  EXPECT_EQ(json.at("model_type"), GetParam().model_type);
  EXPECT_EQ(json.at("torch_dtype"), "float32");
  EXPECT_EQ(json.at("bos_token_id"), 1);
  EXPECT_EQ(read_json_file(folder / "generation_config.json").at("eos_token_id"), 2);
  const std::unique_ptr<Decoder> loaded = load_model(folder.path());
  EXPECT_TRUE(test::identical(logits(*loaded), logits(model)));
  EXPECT_EQ(loaded->config().bos_token_id, 1);
  EXPECT_EQ(loaded->config().eos_token_ids, (std::vector<std::int64_t>{2}));
  EXPECT_EQ(loaded->counts().active, model.counts().active);
  EXPECT_EQ(loaded->config().model_type, GetParam().model_type);
  EXPECT_EQ(expressible_model_type(loaded->config()), GetParam().model_type);
  if (GetParam().model_type == "witan") {
    DecoderConfig before = model.config();
    DecoderConfig after = loaded->config();
    EXPECT_EQ(after.fields().to_json(), before.fields().to_json());
  }
}

// Half the memory, the same model: the weights are the same numbers, added up in another order.
TEST_P(CheckpointFolderTest, IsHeldAsItIsStored) {
  for (const auto& [dtype, precision] :
       {std::pair{DType::kBF16, Precision::kBF16}, std::pair{DType::kF16, Precision::kF16}}) {
    SCOPED_TRACE(std::string(precision_name(precision)));
    const test::TemporaryFolder folder;
    save_model(Decoder(GetParam().config, 5), folder.path(), dtype);
    EXPECT_EQ(lossless_precision(folder.path()), precision);
    const std::unique_ptr<Decoder> wide = load_model(folder.path());
    const std::unique_ptr<Decoder> brief = load_model(folder.path(), precision);
    const std::vector<float> expected = logits(*wide);
    EXPECT_TRUE(test::near(logits(*brief), expected, 1e-5F * (1.0F + test::max_abs(expected))));
    bool some = false;
    for (const Parameter& parameter : brief->parameters()) some = some || parameter.value.precision() == precision;
    EXPECT_TRUE(some);

    const test::TemporaryFolder again;
    save_model(*brief, again.path(), dtype);
    EXPECT_EQ(read_text_file(again / "model.safetensors"), read_text_file(folder / "model.safetensors"));
    save_model(*wide, again.path());
    EXPECT_EQ(lossless_precision(again.path()), Precision::kF32);
  }
}

TEST(HalfPrecisionTest, WhatDoesNotFitIsNamed) {
  const test::TemporaryFolder folder;
  const Decoder model(test::tiny_config(), 5);
  for (const Parameter& parameter : model.parameters()) {
    if (parameter.name.ends_with("layers.1.self_attn.o_proj.weight")) parameter.value.values()[3] = 65520.0F;
  }
  save_model(model, folder.path(), DType::kBF16);
  EXPECT_NO_THROW(load_model(folder.path(), Precision::kBF16));
  const std::string message = test::error_message([&] { load_model(folder.path(), Precision::kF16); });
  for (const std::string part : {"layers.1.self_attn.o_proj.weight", "65536", "f16"}) {
    EXPECT_NE(message.find(part), std::string::npos) << message;
  }
}

INSTANTIATE_TEST_SUITE_P(Tiny, CheckpointFolderTest, testing::ValuesIn(test::tiny_configs()),
                         [](const auto& given) { return given.param.name; });

TEST(EndTokensTest, MayBeSeveralAndTheGenerationConfigCounts) {
  const test::TemporaryFolder folder;
  DecoderConfig config = test::tiny_config();
  config.eos_token_ids = {2, 7};
  save_model(Decoder(config, 5), folder.path());
  const nlohmann::json saved = read_json_file(folder / "config.json");
  EXPECT_EQ(saved.at("eos_token_id"), nlohmann::json::array({2, 7}));
  const auto loaded_ends = [&](const nlohmann::json& of_config, const nlohmann::json& of_generation) {
    nlohmann::json json = saved;
    json["eos_token_id"] = of_config;
    write_file(folder / "config.json", json.dump());
    write_file(folder / "generation_config.json", nlohmann::json{{"eos_token_id", of_generation}}.dump());
    return load_model(folder.path())->config().eos_token_ids;
  };
  using Ids = std::vector<std::int64_t>;
  EXPECT_EQ(loaded_ends({2, 7}, nullptr), (Ids{2, 7}));
  EXPECT_EQ(loaded_ends(2, {3, 4}), (Ids{3, 4}));
  EXPECT_EQ(loaded_ends(nullptr, 5), Ids{5});
  EXPECT_EQ(loaded_ends(nlohmann::json::array(), nullptr), Ids{});
  for (const nlohmann::json& wrong : {nlohmann::json("</s>"), nlohmann::json(-1), nlohmann::json::array({2, 1e12})}) {
    const std::string in_config = test::error_message([&] { loaded_ends(wrong, nullptr); });
    EXPECT_NE(in_config.find("config.json: key 'eos_token_id': expected a token id"), std::string::npos) << in_config;
    const std::string elsewhere = test::error_message([&] { loaded_ends(2, wrong); });
    EXPECT_NE(elsewhere.find("generation_config.json: key 'eos_token_id'"), std::string::npos) << elsewhere;
  }
}

TEST(ExpressibleTest, OnlyWhatAReleasedArchitectureComputesIsCalledSo) {
  const auto type = [](void (*change)(DecoderConfig&)) {
    DecoderConfig config = test::tiny_config();
    change(config);
    return expressible_model_type(config);
  };
  EXPECT_EQ(type([](DecoderConfig&) {}), "mixtral");
  EXPECT_EQ(type([](DecoderConfig& c) { c.moe.router_z_loss_coef = 0.5; }), "mixtral");
  EXPECT_EQ(type([](DecoderConfig& c) { c.qk_norm = "full"; }), "olmoe");
  EXPECT_EQ(type([](DecoderConfig& c) { c.moe.weighting = "softmax_then_topk"; }), "deepseek");
  EXPECT_EQ(type([](DecoderConfig& c) { c.moe.weighting = "sigmoid_topk_norm"; }), "witan");
  EXPECT_EQ(type([](DecoderConfig& c) { c.moe.weighting = "softmax_topk_norm"; }), "mixtral");
  EXPECT_EQ(type([](DecoderConfig& c) { c.moe.eval_capacity_factor = 2.0; }), "witan");
  EXPECT_EQ(type([](DecoderConfig& c) { c.moe.n_shared_experts = 1; }), "deepseek");
  EXPECT_EQ(type([](DecoderConfig& c) { c.moe.shared_expert_intermediate_size = 5; }), "witan");
  EXPECT_EQ(type([](DecoderConfig& c) { c.moe.hidden_act = "gelu"; }), "mixtral");
  EXPECT_EQ(type([](DecoderConfig& c) { c.moe.gated = false; }), "witan");
  EXPECT_EQ(type([](DecoderConfig& c) { c.decoder_sparse_step = 2; }), "witan");
  EXPECT_EQ(type([](DecoderConfig& c) { c.mlp_only_layers = "0"; }), "deepseek");
  EXPECT_EQ(type([](DecoderConfig& c) { c.sliding_window = 8; }), "mixtral");
  EXPECT_EQ(type([](DecoderConfig& c) { c.model_type = "granitemoe"; }), "granitemoe");
  EXPECT_EQ(type([](DecoderConfig& c) { c.model_type = "dbrx"; }), "mixtral");
  EXPECT_EQ(type([](DecoderConfig& c) { c.lm_head_bias = true; }), "witan");
  EXPECT_EQ(type([](DecoderConfig& c) { c.clip_qkv = 8.0; }), "witan");
  EXPECT_EQ(type([](DecoderConfig& c) { c.head_dim = 8; }), "mixtral");
  EXPECT_EQ(type([](DecoderConfig& c) {
              c.qk_norm = "full";
              c.head_dim = 8;
            }),
            "witan");
}

TEST(SavedDTypeTest, HalfTheBytesAndNearlyTheSameModel) {
  for (const auto& [dtype, tolerance] : {std::pair{DType::kBF16, 1e-2F}, std::pair{DType::kF16, 1e-3F}}) {
    const test::TemporaryFolder folder;
    const DecoderConfig config = test::tiny_configs()[0].config;
    const Decoder model(config, 5);
    save_model(model, folder.path(), dtype);
    const SafetensorsReader reader(folder.path());
    for (const auto& [name, tensor] : reader.tensors()) EXPECT_EQ(tensor.dtype, dtype) << name;
    const std::unique_ptr<Decoder> loaded = load_model(folder.path());
    const std::vector<Parameter> before = model.parameters();
    const std::vector<Parameter> after = loaded->parameters();
    for (std::size_t i = 0; i < before.size(); ++i) {
      EXPECT_TRUE(test::near(after[i].value.values(), before[i].value.values(), tolerance)) << before[i].name;
    }
    EXPECT_EQ(read_json_file(folder / "config.json").at("torch_dtype"), dtype == DType::kBF16 ? "bfloat16" : "float16");
  }
}

TEST(ExtraLayersTest, OfMultiTokenPredictionAreNotRead) {
  const test::TemporaryFolder folder;
  int checked = 0;
  for (const test::NamedConfig& named : test::tiny_configs()) {
    if (named.name != "deepseek_v3" && named.name != "deepseek_v2") continue;
    ++checked;
    save_model(Decoder(named.config, 5), folder.path());
    std::vector<TensorToStore> tensors;
    std::vector<std::vector<float>> values;
    {
      const SafetensorsReader reader(folder.path());
      values.reserve(reader.tensors().size() + 1);
      for (const auto& [name, tensor] : reader.tensors()) {
        values.emplace_back(static_cast<std::size_t>(tensor.numel()));
        reader.read_f32(name, tensor.shape, values.back());
        tensors.push_back({name, tensor.shape, values.back()});
      }
    }
    values.emplace_back(7, 1.0F);
    tensors.push_back({"model.layers.3.eh_proj.weight", {7}, values.back()});
    write_safetensors(folder / "model.safetensors", tensors);
    const std::string message = test::error_message([&] { load_model(folder.path()); });
    if (named.name == "deepseek_v3") {
      EXPECT_EQ(message, "no error");
    } else {
      EXPECT_NE(message.find("model.layers.3.eh_proj.weight"), std::string::npos) << message;
    }
  }
  EXPECT_EQ(checked, 2);
}

// A saved tiny model whose files a test then damages.
class DamagedFolderTest : public testing::Test {
 protected:
  DamagedFolderTest() { save(test::tiny_configs().front().config); }

  void save(const DecoderConfig& config) { save_model(Decoder(config, 5), folder_.path()); }
  void change_config(const nlohmann::json& patch) {
    nlohmann::json json = read_json_file(folder_ / "config.json");
    json.merge_patch(patch);  // null removes a key
    write_file(folder_ / "config.json", json.dump());
  }
  void set_config(const char* key, const nlohmann::json& value) {
    nlohmann::json json = read_json_file(folder_ / "config.json");
    json[key] = value;
    write_file(folder_ / "config.json", json.dump());
  }
  void change_tensors(const std::function<void(std::vector<TensorToStore>&)>& change) {
    std::vector<std::vector<float>> values;
    std::vector<TensorToStore> tensors;
    {
      const SafetensorsReader reader(folder_.path());
      values.reserve(reader.tensors().size());
      for (const auto& [name, tensor] : reader.tensors()) {
        values.emplace_back(static_cast<std::size_t>(tensor.numel()));
        reader.read_f32(name, tensor.shape, values.back());
        tensors.push_back({name, tensor.shape, values.back()});
      }
    }
    change(tensors);
    write_safetensors(folder_ / "model.safetensors", tensors);
  }
  static TensorToStore& find(std::vector<TensorToStore>& tensors, const std::string& name) {
    for (TensorToStore& tensor : tensors) {
      if (tensor.name == name) return tensor;
    }
    throw std::out_of_range(name);
  }
  std::string message() const {
    return test::error_message([this] { load_model(folder_.path()); });
  }
  void expect_refused(const std::vector<std::string>& says) const {
    const std::string text = message();
    for (const std::string& part : says) {
      EXPECT_NE(text.find(part), std::string::npos) << "'" << part << "' in: " << text;
    }
    EXPECT_NE(text.find(folder_.path().string()), std::string::npos) << text;
  }

  test::TemporaryFolder folder_;
};

constexpr const char* kExpert = "model.layers.1.block_sparse_moe.experts.3.w2.weight";

TEST_F(DamagedFolderTest, IsFineBeforeTheDamage) { EXPECT_EQ(message(), "no error"); }

TEST_F(DamagedFolderTest, NoConfig) {
  std::filesystem::remove(folder_ / "config.json");
  expect_refused({"config.json"});
}

TEST_F(DamagedFolderTest, NoWeights) {
  std::filesystem::remove(folder_ / "model.safetensors");
  expect_refused({"model.safetensors"});
}

TEST_F(DamagedFolderTest, UnknownModelTypeNamesTheKnown) {
  change_config({{"model_type", "mamba"}});
  expect_refused({"mamba", "mixtral", "olmoe", "deepseek_v3", "llama", "witan"});
  change_config({{"model_type", nullptr}});
  expect_refused({"model_type"});
}

TEST_F(DamagedFolderTest, MissingTensorIsNamed) {
  change_tensors([](auto& tensors) {
    std::erase_if(tensors, [](const TensorToStore& tensor) { return tensor.name == kExpert; });
    for (const char* name : {"other", "another"}) {  // so that there are parameters enough
      tensors.push_back(find(tensors, "model.embed_tokens.weight"));
      tensors.back().name = name;
    }
  });
  expect_refused({kExpert});
}

TEST_F(DamagedFolderTest, ExtraTensorIsNamed) {
  change_tensors([](auto& tensors) {
    tensors.push_back(find(tensors, kExpert));
    tensors.back().name = "model.layers.1.mlp.shared_expert.up_proj.weight";
  });
  expect_refused({"model.layers.1.mlp.shared_expert.up_proj.weight"});
}

TEST_F(DamagedFolderTest, MisshapenTensorIsNamedWithBothShapes) {
  change_tensors([](auto& tensors) { find(tensors, kExpert).shape = {12, 16}; });
  expect_refused({kExpert, "[12, 16]", "[16, 12]"});
}

TEST_F(DamagedFolderTest, ConfigOfAnotherModel) {
  change_config({{"hidden_size", 32}});
  expect_refused({"shape", "hidden_size=32", "16"});
}

TEST_F(DamagedFolderTest, TruncatedWeights) {
  const std::string whole = read_text_file(folder_ / "model.safetensors");
  for (const std::size_t kept :
       {std::size_t{0}, std::size_t{7}, std::size_t{100}, whole.size() / 2, whole.size() - 1}) {
    write_file(folder_ / "model.safetensors", whole.substr(0, kept));
    expect_refused({"model.safetensors"});
  }
}

TEST_F(DamagedFolderTest, HugeSizesAreRefusedBeforeAnythingIsAllocated) {
  for (const auto& [key, value] : std::vector<std::pair<const char*, std::int64_t>>{
           {"num_hidden_layers", 4096}, {"num_local_experts", 1 << 20}, {"intermediate_size", 1 << 20}}) {
    const nlohmann::json before = read_json_file(folder_ / "config.json");
    set_config(key, value);
    expect_refused({"parameters"});
    write_file(folder_ / "config.json", before.dump());
  }
  set_config("num_local_experts", std::int64_t{1} << 40);
  expect_refused({"num_local_experts"});
}

TEST_F(DamagedFolderTest, HugeGatesAndRoutersAreRefusedBeforeAnythingIsAllocated) {
  DecoderConfig config = test::tiny_config();
  config.moe.router = "hash";
  save(config);
  ASSERT_EQ(message(), "no error");
  const nlohmann::json before = read_json_file(folder_ / "config.json");
  for (const nlohmann::json& patch :
       std::vector<nlohmann::json>{{{"hash_variant", "position"}, {"max_position_embeddings", 1 << 24}},
                                   {{"router", "soft_moe"},
                                    {"slots_per_expert", 1 << 16},
                                    {"num_experts_per_tok", 5},
                                    {"allow_noncausal", true}},
                                   {{"router", "top_k"}, {"gate", "mlp"}, {"mlp_gate_size", 1 << 20}}}) {
    change_config(patch);
    const std::size_t in_use = pool_statistics().bytes_in_use;
    pool_reset_peak();
    expect_refused({"gates or routers", "larger than", "files hold"});
    EXPECT_NE(test::error_message([this] { load_config(folder_.path()); }), "no error");
    EXPECT_LT(pool_statistics().peak_bytes_in_use - in_use, std::size_t{4} << 20);
    write_file(folder_ / "config.json", before.dump());
  }
}

TEST_F(DamagedFolderTest, ReleasedConfigsMayCarryOtherKeysButNotLackTheirs) {
  set_config("some_key_of_a_later_version", 3);
  EXPECT_EQ(message(), "no error");
  change_config({{"num_local_experts", nullptr}});
  expect_refused({"num_local_experts", "missing"});
}

TEST_F(DamagedFolderTest, OwnConfigsMayNotCarryOtherKeys) {
  DecoderConfig config = test::tiny_config();
  config.moe.gated = false;
  save(config);
  EXPECT_EQ(message(), "no error");
  set_config("hiden_size", 3);
  expect_refused({"hiden_size", "hidden_size"});
}

TEST_F(DamagedFolderTest, WhatIsNotSupportedIsRefused) {
  set_config("sliding_window", "16");
  expect_refused({"sliding_window", "16"});
  set_config("sliding_window", 16);
  EXPECT_EQ(load_model(folder_.path())->config().sliding_window, 16);
  set_config("rope_scaling", {{"rope_type", "mrope"}, {"factor", 4.0}});
  expect_refused({"rope_scaling", "mrope", "yarn"});
  set_config("rope_scaling", {{"rope_type", "yarn"}});
  expect_refused({"rope_scaling", "factor", "missing"});
  set_config("rope_scaling", {{"rope_type", "yarn"}, {"factor", 4.0}});
  EXPECT_EQ(load_model(folder_.path())->config().rope.rope_factor, 4.0);
  set_config("rope_scaling", {{"rope_type", "default"}});
  EXPECT_EQ(message(), "no error");
  set_config("partial_rotary_factor", 0.5);
  expect_refused({"partial_rotary_factor", "0.5"});
  set_config("partial_rotary_factor", 1.0);
  set_config("rope_parameters", {{"rope_type", "default"}, {"rope_theta", 1e4}, {"partial_rotary_factor", 0.25}});
  expect_refused({"rope_parameters", "partial_rotary_factor", "0.25"});
  change_config({{"rope_parameters", nullptr}});
  set_config("quantization_config", {{"quant_method", "gptq"}});
  expect_refused({"quantization_config", "gptq", "fp8", "mxfp4"});
  change_config({{"quantization_config", nullptr}});
  set_config("hidden_act", "swish_of_another_kind");
  expect_refused({"hidden_act"});
}

TEST_F(DamagedFolderTest, ExpertsAreCountedUnderTheNamesOfTransformers5) {
  const std::map<std::string, std::string> own = {
      {"mixtral", "num_local_experts"},   {"gpt_oss", "num_local_experts"},
      {"phimoe", "num_local_experts"},    {"granitemoe", "num_local_experts"},
      {"olmoe", "num_experts"},           {"qwen2_moe", "num_experts"},
      {"qwen3_moe", "num_experts"},       {"deepseek_v2", "n_routed_experts"},
      {"deepseek_v3", "n_routed_experts"}};
  int checked = 0;
  for (const test::NamedConfig& named : test::tiny_configs()) {
    const auto found = own.find(named.model_type);
    if (found == own.end()) continue;
    ++checked;
    SCOPED_TRACE(named.name);
    save(named.config);
    const nlohmann::json before = read_json_file(folder_ / "config.json");
    for (const std::string other : {"num_local_experts", "num_experts"}) {
      nlohmann::json renamed = before;
      renamed.erase(found->second);
      renamed[other] = before.at(found->second);
      write_file(folder_ / "config.json", renamed.dump());
      EXPECT_EQ(message(), "no error") << other;
      EXPECT_EQ(load_config(folder_.path()).moe.num_experts, named.config.moe.num_experts);
    }
  }
  EXPECT_GE(checked, 9);
}

TEST_F(DamagedFolderTest, LayerTypesThatTheOtherKeysContradictAreRefused) {
  set_config("layer_types", {"full_attention", "full_attention", "full_attention"});
  EXPECT_EQ(message(), "no error");
  set_config("layer_types", {"full_attention", "sliding_attention", "full_attention"});
  expect_refused({"layer_types", "sliding_attention", "layer 1", "none"});
  set_config("sliding_window", 16);
  expect_refused({"layer_types", "full_attention", "layer 0", "16"});
  set_config("layer_types", {"sliding_attention", "sliding_attention"});
  expect_refused({"layer_types", "list of 3"});
  set_config("layer_types", {"sliding_attention", "linear_attention", "full_attention"});
  expect_refused({"layer_types", "linear_attention", "known"});
}

TEST_F(DamagedFolderTest, LayerTypesOfMistralAndQwen2MoeSayWhichLayersHaveTheWindow) {
  int checked = 0;
  for (const test::NamedConfig& named : test::tiny_configs()) {
    if (named.name != "mistral" && named.name != "qwen2_moe") continue;
    ++checked;
    DecoderConfig config = named.config;
    config.sliding_window = 5;
    config.full_attention_layers = "1";
    config.model_type = named.name;  // it was loaded as
    save(config);
    const DecoderConfig loaded = load_config(folder_.path());
    EXPECT_EQ(loaded.model_type, named.name);
    EXPECT_EQ(loaded.sliding_window, 5);
    EXPECT_EQ(loaded.full_attention_layers, "1");
  }
  EXPECT_EQ(checked, 2);
}

// Transformers 4 would put the window into every layer of such a qwen2_moe.
TEST_F(DamagedFolderTest, ANewModelWithAWindowInSomeLayersIsNoQwen2Moe) {
  for (const test::NamedConfig& named : test::tiny_configs()) {
    if (named.name != "qwen2_moe") continue;
    DecoderConfig config = named.config;
    config.model_type.clear();
    config.sliding_window = 5;
    EXPECT_EQ(expressible_model_type(config), "qwen2_moe");
    config.full_attention_layers = "1";
    EXPECT_EQ(expressible_model_type(config), "witan");
    return;
  }
  FAIL() << "no tiny qwen2_moe";
}

TEST_F(DamagedFolderTest, Qwen2MoeListsItsWindowsAlsoWhereEveryLayerHasOne) {
  for (const test::NamedConfig& named : test::tiny_configs()) {
    if (named.name != "qwen2_moe") continue;
    DecoderConfig config = named.config;
    save(config);
    EXPECT_FALSE(read_json_file(folder_ / "config.json").contains("layer_types"));
    config.sliding_window = 5;
    save(config);
    const nlohmann::json types = read_json_file(folder_ / "config.json").at("layer_types");
    const auto layers = static_cast<std::size_t>(config.num_hidden_layers);
    EXPECT_EQ(types, std::vector<std::string>(layers, "sliding_attention"));
    EXPECT_EQ(load_config(folder_.path()).sliding_window, 5);
    EXPECT_EQ(load_config(folder_.path()).full_attention_layers, "");
    set_config("layer_types", nullptr);
    EXPECT_EQ(load_config(folder_.path()).full_attention_layers, "");
    return;
  }
  FAIL() << "no tiny qwen2_moe";
}

TEST_F(DamagedFolderTest, GptOssTakesNoOtherSteepness) {
  for (const test::NamedConfig& named : test::tiny_configs()) {
    if (named.name != "gpt_oss") continue;
    save(named.config);
    set_config("swiglu_alpha", 1.702);
    EXPECT_EQ(message(), "no error");
    set_config("swiglu_alpha", 1.0);
    expect_refused({"swiglu_alpha", "1.0", "1.702"});
  }
}

TEST_F(DamagedFolderTest, OlmoeMissesItsBiasesAndTakesTheThetaOfTransformers5) {
  save(test::tiny_configs()[1].config);
  change_config({{"rope_theta", nullptr}});
  set_config("rope_parameters", {{"rope_theta", 12345.0}, {"rope_type", "default"}});
  EXPECT_EQ(load_model(folder_.path())->config().rope_theta, 12345.0);
  set_config("attention_bias", true);
  expect_refused({"lack", "q_proj.bias"});
}

TEST_F(DamagedFolderTest, ATiedModelMayStoreItsHeadTwice) {
  DecoderConfig config = test::tiny_config();
  save(config);
  change_tensors([](auto& tensors) {
    tensors.push_back(find(tensors, "model.embed_tokens.weight"));
    tensors.back().name = "lm_head.weight";
  });
  EXPECT_EQ(message(), "no error");
  // As in Transformers the embedding counts, whatever the head says.
  const std::vector<float> other(40 * 16, 1.0F);
  change_tensors([&other](auto& tensors) {
    find(tensors, "lm_head.weight").values = other;
    find(tensors, "lm_head.weight").dtype = DType::kBF16;
  });
  EXPECT_EQ(message(), "no error");
  EXPECT_EQ(load_model(folder_.path())->config().tie_word_embeddings, true);
  // Nor does it say how the weights are held.
  change_tensors([](auto& tensors) {
    for (TensorToStore& tensor : tensors) tensor.dtype = tensor.name == "lm_head.weight" ? DType::kF32 : DType::kBF16;
  });
  EXPECT_EQ(lossless_precision(folder_.path()), Precision::kBF16);
  change_tensors([](auto& tensors) { find(tensors, "lm_head.weight").shape = {16, 40}; });
  expect_refused({"lm_head.weight"});
}

TEST_F(DamagedFolderTest, AScalingWithoutATypeIsRefused) {
  for (const char* key : {"rope_scaling", "rope_parameters"}) {
    set_config(key, {{"factor", 4.0}});
    expect_refused({key, "rope_type", "factor", "yarn"});
    set_config(key, {{"rope_theta", 5e5}, {"type", nullptr}});
    EXPECT_EQ(load_model(folder_.path())->config().rope.rope_type, "default");
    change_config({{key, nullptr}});
  }
}

// Where Transformers 4.57 looks for the original length of longrope.
TEST_F(DamagedFolderTest, LongropeTakesItsOriginalLengthFromWhereTransformersDoes) {
  const auto original = [&] { return load_config(folder_.path()).rope.original_max_position_embeddings; };
  const std::size_t pairs = static_cast<std::size_t>(load_config(folder_.path()).dim_per_head() / 2);
  nlohmann::json scaling = {{"rope_type", "longrope"},
                            {"factor", 2.0},
                            {"original_max_position_embeddings", 16},
                            {"short_mscale", 1.5},
                            {"short_factor", std::vector<double>(pairs, 1.0)},
                            {"long_factor", std::vector<double>(pairs, 2.0)}};
  set_config("rope_scaling", scaling);
  EXPECT_EQ(original(), 0) << "max_position_embeddings";
  EXPECT_EQ(load_config(folder_.path()).rope.rope_short_mscale, 0.0) << "which only Phi-3.5-MoE reads";
  set_config("original_max_position_embeddings", 32);
  EXPECT_EQ(original(), 32);
  change_config({{"original_max_position_embeddings", nullptr}, {"rope_scaling", nullptr}});
  set_config("rope_parameters", scaling);
  EXPECT_EQ(original(), 16) << "as Transformers 5 has it";

  for (const test::NamedConfig& named : test::tiny_configs()) {
    if (named.name == "phimoe") save(named.config);
  }
  const std::int64_t saved = original();
  EXPECT_GT(saved, 0);
  EXPECT_GT(load_config(folder_.path()).rope.rope_short_mscale, 0.0);
  change_config({{"original_max_position_embeddings", nullptr}});
  EXPECT_EQ(original(), saved) << "within rope_scaling";
  set_config("original_max_position_embeddings", saved + 1);
  expect_refused({"original_max_position_embeddings", "rope_scaling", "expected the same"});
}

TEST_F(DamagedFolderTest, AnUntiedHeadIsRead) {
  DecoderConfig config = test::tiny_config();
  config.tie_word_embeddings = false;
  save(config);
  const std::vector<float> other(40 * 16, 1.0F);
  change_tensors([&other](auto& tensors) { find(tensors, "lm_head.weight").values = other; });
  int read = 0;
  for (const Parameter& parameter : load_model(folder_.path())->parameters()) {
    if (parameter.name != "lm_head.weight") continue;
    ++read;
    EXPECT_TRUE(std::ranges::equal(parameter.value.values(), other));
  }
  EXPECT_EQ(read, 1);
  change_tensors([](auto& tensors) { find(tensors, "lm_head.weight").name = "head.weight"; });
  expect_refused({"lack", "lm_head.weight"});
}

TEST_F(DamagedFolderTest, RandomDamageToTheConfigNeverCrashes) {
  const std::string whole = read_text_file(folder_ / "config.json");
  Random random(4);
  int refused = 0;
  for (int i = 0; i < 150; ++i) {
    write_file(folder_ / "config.json", test::mutated(whole, random));
    refused += message() != "no error" ? 1 : 0;  // anything but Error fails the test
  }
  EXPECT_GT(refused, 50);
}

}  // namespace checkpoint_folder_test
}  // namespace witan
