// What a folder is said to hold, against the models themselves and their files.
#include "inspection/inventory.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/file.h"
#include "formats/safetensors.h"
#include "inference/plan.h"
#include "inspection/inspection_json.h"
#include "models/checkpoint_folder.h"
#include "models/encoder_decoder_folder.h"
#include "support/error_message.h"
#include "support/temporary_folder.h"
#include "support/tiny_models.h"
#include "text/tokenizer.h"

namespace witan {
namespace inventory_test {

namespace fs = std::filesystem;

fs::path golden(const std::string& name) { return fs::path(WITAN_TEST_DATA) / "golden" / "checkpoints" / name; }

std::int64_t sum(const ParameterShares& shares) {
  return shares.experts + shares.shared + shares.dense + shares.attention + shares.routing + shares.outside;
}

void expect_counts(const Inventory& inventory, const ParameterCounts& counts, const std::string& name) {
  EXPECT_EQ(inventory.parameters.total, counts.total) << name;
  EXPECT_EQ(inventory.parameters.active, counts.active) << name;
  EXPECT_EQ(sum(inventory.shares), counts.total) << name;
  std::int64_t in_layers = 0;
  for (const LayerInventory& layer : inventory.layers) in_layers += layer.parameters.total;
  EXPECT_EQ(in_layers + inventory.shares.outside, counts.total) << name;
}

TEST(InventoryTest, CountsEveryArchitectureAsItIsBuilt) {
  for (const test::NamedConfig& named : test::tiny_configs()) {
    const test::TemporaryFolder root;
    const Decoder model(named.config, 1);
    save_model(model, root / "m");
    const Inventory inventory = take_inventory(root / "m");
    EXPECT_EQ(inventory.architecture, named.model_type);
    expect_counts(inventory, model.counts(), named.name);
    EXPECT_EQ(inventory.mixture_layers(), named.config.num_moe_layers()) << named.name;
    EXPECT_EQ(inventory.context, named.config.max_positions()) << named.name;
    EXPECT_EQ(inventory.memory.weights, plan_run(named.config, 1).weight_bytes) << named.name;
    ASSERT_TRUE(inventory.storage) << named.name;
    EXPECT_EQ(inventory.storage->kinds.front().dtype, "F32") << named.name;
    EXPECT_EQ(inventory.name, "m");
  }
}

TEST(InventoryTest, CountsReleasedLayoutsAsTheyAreLoaded) {
  for (const auto& entry : fs::directory_iterator(fs::path(WITAN_TEST_DATA) / "golden" / "checkpoints")) {
    if (!entry.is_directory() || holds_encoder_decoder(entry.path())) continue;
    expect_counts(take_inventory(entry.path()), load_model(entry.path())->counts(), entry.path().string());
  }
}

TEST(InventoryTest, AnEncoderDecoderIsWhatItsFileHolds) {
  const Inventory inventory = take_inventory(golden("switch_transformers"));
  EXPECT_TRUE(inventory.encoder_decoder);
  const SafetensorsReader reader(golden("switch_transformers"));
  const EncoderDecoderConfig config = load_encoder_decoder_config(golden("switch_transformers"));
  std::int64_t numbers = 0;
  std::int64_t unused_experts = 0;
  for (const auto& [name, tensor] : reader.tensors()) {
    const bool copy = name.ends_with("embed_tokens.weight") || (name == "lm_head.weight" && config.tie_word_embeddings);
    if (!copy) numbers += tensor.numel();
    // Of each mixture one expert serves a token, say the first.
    if (name.find("experts.expert_") != std::string::npos && name.find("experts.expert_0.") == std::string::npos) {
      unused_experts += tensor.numel();
    }
  }
  expect_counts(inventory, {numbers, numbers - unused_experts}, "switch_transformers");
  EXPECT_EQ(inventory.layers.front().stack, "encoder");
  EXPECT_EQ(inventory.layers.back().stack, "decoder");
}

TEST(InventoryTest, MemoryIsThatOfWeightsAsTheyWillBeHeld) {
  const Inventory inventory = take_inventory(golden("mixtral"));
  const Precision precision = lossless_precision(golden("mixtral"));
  EXPECT_EQ(inventory.memory.held_as, precision == Precision::kBF16 ? "bf16" : "f32");
  EXPECT_EQ(inventory.memory.weights, plan_run(load_config(golden("mixtral")), 1, precision).weight_bytes);
}

TEST(InventoryTest, BytesByKind) {
  const Inventory mxfp4 = take_inventory(golden("gpt_oss_mxfp4"));
  std::int64_t bytes = 0;
  bool found = false;
  for (const StoredKind& kind : mxfp4.storage->kinds) {
    bytes += kind.bytes;
    found = found || kind.dtype == "MXFP4";
  }
  EXPECT_TRUE(found);
  EXPECT_EQ(bytes, mxfp4.storage->bytes);
  const Inventory fp8 = take_inventory(golden("deepseek_v3_fp8"));
  EXPECT_TRUE(std::ranges::any_of(fp8.storage->kinds, [](const StoredKind& k) { return k.dtype == "F8_E4M3"; }));
}

TEST(InventoryTest, WeightsAndTokenizerMayBeMissing) {
  const test::TemporaryFolder root;
  save_model(Decoder(test::tiny_config(), 1), root / "m");
  fs::remove(root / "m" / "model.safetensors");
  const Inventory inventory = take_inventory(root / "m");
  EXPECT_FALSE(inventory.storage);
  EXPECT_FALSE(inventory.tokenizer);
  EXPECT_EQ(inventory.notes.size(), 2U);
  make_byte_tokenizer()->save(root / "m");
  EXPECT_EQ(take_inventory(root / "m").tokenizer->vocab_size, 258);
}

TEST(InventoryTest, FewerWeightsThanPromisedAreAnError) {
  const test::TemporaryFolder root;
  save_model(Decoder(test::tiny_config(), 1), root / "m");
  auto config = nlohmann::json::parse(read_text_file(root / "m" / "config.json"));
  config["num_hidden_layers"] = 30;
  write_file(root / "m" / "config.json", config.dump());
  const std::string message = test::error_message([&] { take_inventory(root / "m"); });
  EXPECT_NE(message.find("but the files hold"), std::string::npos) << message;
}

TEST(InventoryTest, JsonHoldsTheNumbers) {
  const Inventory inventory = take_inventory(golden("deepseek_v2"));
  const auto json = inventory_json(inventory);
  EXPECT_EQ(json["architecture"], "deepseek_v2");
  EXPECT_EQ(json["kind"], "decoder");
  EXPECT_EQ(json["parameters"]["total"], inventory.parameters.total);
  EXPECT_EQ(json["layers"].size(), inventory.layers.size());
  EXPECT_EQ(json["layers"][0]["experts"], 0);
  EXPECT_GT(json["layers"].back()["experts"], 1);
  EXPECT_EQ(json["storage"]["bytes"], inventory.storage->bytes);
  EXPECT_TRUE(json["tokenizer"].is_null());
}

}  // namespace inventory_test
}  // namespace witan
