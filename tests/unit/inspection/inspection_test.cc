// A text through a model of every kind, and what is written of it.
#include "inspection/inspection.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <numeric>

#include "inspection/inspection_json.h"
#include "support/error_message.h"
#include "support/temporary_folder.h"
#include "support/tiny_models.h"

namespace witan {
namespace inspection_test {

// Two domains of ten words each, as tokens.
TokenizedCorpus text(const test::TemporaryFolder& root, const Tokenizer& tokenizer) {
  Corpus corpus;
  corpus.domains = {"a", "b"};
  corpus.heldout = {{"to be or not to be that is the question", 0}, {"all the world is a stage and all men play", 1}};
  for (const Document& document : corpus.heldout) {
    corpus.heldout_bytes += static_cast<std::int64_t>(document.text.size());
  }
  corpus.content_key = "inspection_test";
  return tokenize_corpus(corpus, tokenizer, root / "cache");
}

TEST(InspectionTest, EveryKindOfModel) {
  const test::TemporaryFolder root;
  const auto tokenizer = make_byte_tokenizer();
  const TokenizedCorpus tokens = text(root, *tokenizer);
  for (test::NamedConfig named : test::tiny_configs()) {
    named.config.vocab_size = tokenizer->vocab_size();
    Decoder model(named.config, 3);
    const EvaluationOptions options{.batch_size = 2, .sequence_length = 16, .max_tokens = 64};
    Inspection inspection;
    inspection.weights = weight_statistics(expert_banks(model));
    inspection.text = inspect_text(model, *tokenizer, tokens, options, 10);
    const auto mixtures = static_cast<std::size_t>(named.config.num_moe_layers());
    const bool neurons = named.config.moe.router == "peer";
    EXPECT_EQ(inspection.text->layers.size(), mixtures) << named.name;
    EXPECT_EQ(inspection.text->outputs.size(), neurons ? 0U : mixtures) << named.name;
    EXPECT_EQ(inspection.text->evaluation.overall.tokens, 64) << named.name;
    for (const LayerOutputs& layer : inspection.text->outputs) EXPECT_EQ(layer.sampled_rows, 10) << named.name;

    const auto json = inspection_json(inspection, tokenizer.get());
    EXPECT_EQ(json["weights"].is_null(), neurons || mixtures == 0) << named.name;
    EXPECT_EQ(json["text"]["domains"][1]["name"], "b");
    ASSERT_EQ(json["text"]["layers"].size(), mixtures) << named.name;
    for (const auto& layer : json["text"]["layers"]) {
      EXPECT_EQ(layer["outputs"].is_null(), neurons) << named.name;
      if (neurons) continue;
      const std::vector<double> rows = layer["outputs"]["rows"];
      EXPECT_EQ(std::accumulate(rows.begin(), rows.end(), 0.0), 64.0 * named.config.moe.num_experts_per_tok)
          << named.name;
      EXPECT_EQ(layer["together"]["matrix"].size(), static_cast<std::size_t>(named.config.moe.num_experts));
    }
  }
}

TEST(InspectionTest, WithoutWeightsAndTextBothAreNull) {
  const auto json = inspection_json(Inspection(), nullptr);
  EXPECT_TRUE(json["weights"].is_null());
  EXPECT_TRUE(json["text"].is_null());
}

TEST(InspectionTest, ATokenizerOfAnotherModelIsRefused) {
  const test::TemporaryFolder root;
  const auto tokenizer = make_byte_tokenizer();
  Decoder model(test::tiny_config(), 3);  // of 40 tokens
  const std::string message =
      test::error_message([&] { inspect_text(model, *tokenizer, text(root, *tokenizer), {}, 10); });
  EXPECT_NE(message.find("258 tokens, the model 40"), std::string::npos) << message;
}

}  // namespace inspection_test
}  // namespace witan
