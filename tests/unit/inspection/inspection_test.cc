// A text through a model of every kind, and what is written of it.
#include "inspection/inspection.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <numeric>

#include "base/interrupt.h"
#include "base/json.h"
#include "inspection/inspection_json.h"
#include "models/encoder_decoder_folder.h"
#include "support/error_message.h"
#include "support/released_goldens.h"
#include "support/temporary_folder.h"
#include "support/tiny_models.h"
#include "support/tiny_tokenizer.h"

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
    EXPECT_EQ(inspection.text->evaluation.overall.tokens, 64) << named.name;
    for (const LayerInspection& layer : inspection.text->layers) {
      EXPECT_EQ(layer.stack, "decoder");
      EXPECT_EQ(layer.outputs.has_value(), !neurons) << named.name;
      EXPECT_EQ(layer.outputs ? layer.outputs->sampled_rows : 10, 10) << named.name;
    }

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

std::filesystem::path switch_folder() { return test::golden_checkpoint("switch_transformers"); }

TEST(InspectPairsTest, BothStacksAreWatchedAndTheLossIsThatOfTheReference) {
  using Ids = std::vector<std::int32_t>;
  const auto model = load_encoder_decoder(switch_folder());
  const auto tokenizer = test::words_of_switch();
  const nlohmann::json expected = read_json_file(switch_folder() / "expected.json");
  PairedText text;
  text.domains = {"a", "b"};
  text.reading = "pairs";
  double nats = 0.0;
  std::int64_t targets = 0;
  std::map<std::string, double> wanted;  // rows of each layer that were served
  for (std::size_t i = 0; i < expected["encoder_prompts"].size(); ++i) {
    TextPair pair;
    pair.source = expected["encoder_prompts"][i].get<Ids>();
    pair.inputs = expected["decoder_input_ids"][i].get<Ids>();
    pair.targets.assign(pair.inputs.begin() + 1, pair.inputs.end());
    pair.targets.push_back(kNoTarget);
    pair.domain = i == 0 ? 0 : 1;
    for (std::size_t row = 0; row + 1 < pair.inputs.size(); ++row) {
      const std::vector<double> logits = expected["decoder_logits"][i][row];
      double sum = 0.0;
      for (const double logit : logits) sum += std::exp(logit);
      nats += std::log(sum) - logits[static_cast<std::size_t>(pair.targets[row])];
      ++targets;
    }
    for (const nlohmann::json& layer : expected["router"][i]) {
      const std::string name = layer["layer"];
      const std::size_t digit = name.find_first_of("0123456789");
      for (const std::vector<double> weights : layer["weights"]) {
        wanted[name.substr(0, name.find('.')) + " " + name[digit]] += weights[0] > 0.0 ? 1.0 : 0.0;
      }
    }
    text.pairs.push_back(std::move(pair));
  }
  Inspection inspection;
  std::int64_t done = 0;
  inspection.text = inspect_pairs(*model, *tokenizer, text, 12, [&](std::int64_t pairs) { done = pairs; });
  // Heard within a pair too: after the first part of the first one nothing more is computed.
  int parts = 0;
  EXPECT_THROW(inspect_pairs(*model, *tokenizer, text, 12,
                             [&](std::int64_t pairs) {
                               EXPECT_EQ(pairs, 0);
                               if (++parts == 3) throw Interrupted();
                             }),
               Interrupted);
  EXPECT_EQ(parts, 3);
  EXPECT_EQ(done, static_cast<std::int64_t>(text.pairs.size()));
  EXPECT_EQ(inspection.text->evaluation.overall.tokens, targets);
  EXPECT_NEAR(inspection.text->evaluation.overall.nats, nats, 1e-3);
  ASSERT_EQ(inspection.text->layers.size(), wanted.size());

  const auto json = inspection_json(inspection, tokenizer.get());
  EXPECT_EQ(json["text"]["reading"], "pairs");
  bool dropped = false;
  for (const auto& layer : json["text"]["layers"]) {
    const std::vector<double> rows = layer["outputs"]["rows"];
    const std::string name = layer["stack"].get<std::string>() + " " + std::to_string(layer["layer"].get<int>());
    EXPECT_EQ(std::accumulate(rows.begin(), rows.end(), 0.0), wanted.at(name)) << name;
    EXPECT_EQ(layer["outputs"]["sampled_rows"], 12) << name;
    EXPECT_FALSE(layer["outputs"]["rank_correlation"].is_null()) << name;
    EXPECT_GT(layer["entropy"], 0.0) << name;
    dropped |= layer["dropped"] > 0.0;
  }
  EXPECT_TRUE(dropped);
}

TEST(InspectPairsTest, ATokenizerOfAnotherModelIsRefused) {
  const auto model = load_encoder_decoder(switch_folder());
  const auto tokenizer = make_byte_tokenizer();
  const std::string message = test::error_message([&] { inspect_pairs(*model, *tokenizer, {}, 10); });
  EXPECT_NE(message.find("258 tokens, the model 256"), std::string::npos) << message;
}

}  // namespace inspection_test
}  // namespace witan
