// Translator on a released layout: token by token what one pass gives, the reference's greedy outputs, beams that keep
// their own memory.
#include "inference/translator.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/json.h"
#include "models/encoder_decoder_folder.h"
#include "support/error_message.h"
#include "support/released_goldens.h"

namespace witan {
namespace translator_test {

using Ids = std::vector<std::int32_t>;

std::filesystem::path folder() { return test::golden_checkpoint("switch_transformers"); }

class TranslatorTest : public testing::Test {
 protected:
  static SamplingOptions greedy() {
    SamplingOptions sampling;
    sampling.temperature = 0.0;
    return sampling;
  }
  // What follows `ids` when the model sees them one at a time, without what it remembered.
  std::vector<float> next_row(const Tensor& encoded, const Ids& ids) const {
    Translation translation = model_->start(encoded);
    Tensor logits;
    for (const std::int32_t id : ids) logits = model_->logits(model_->decode({&id, 1}, translation));
    std::vector<float> row(logits.values().begin(), logits.values().begin() + 256);
    double sum = 0.0;
    for (const float value : row) sum += std::exp(static_cast<double>(value));
    for (float& value : row) value -= static_cast<float>(std::log(sum));
    return row;
  }

  std::unique_ptr<EncoderDecoder> model_ = load_encoder_decoder(folder());
  std::unique_ptr<Tokenizer> tokenizer_ = test::words_of_switch();
  Translator translator_{*model_, *tokenizer_};
  nlohmann::json expected_ = read_json_file(folder() / "expected.json");
  Ids source_ = expected_.at("encoder_prompts").at(0).get<Ids>();
};

TEST_F(TranslatorTest, TokenByTokenIsWhatOnePassGives) {
  const Tensor encoded = model_->encode(source_);
  Ids ids = expected_.at("decoder_input_ids").at(0).get<Ids>();
  ids.resize(std::min<std::size_t>(ids.size(), 8));  // as many as an expert serves in one pass: nothing is dropped
  Translation whole = model_->start(encoded);
  const Tensor all = model_->logits(model_->decode(ids, whole));
  Translation stepwise = model_->start(encoded);
  for (std::size_t i = 0; i < ids.size(); ++i) {
    const Tensor row = model_->logits(model_->decode({&ids[i], 1}, stepwise));
    for (std::int64_t v = 0; v < row.cols(); ++v) {
      ASSERT_NEAR(row.matrix()(0, v), all.matrix()(static_cast<std::int64_t>(i), v), 2e-5) << i << " " << v;
    }
  }
}

TEST_F(TranslatorTest, GreedyOutputsAreTheReferences) {
  for (std::size_t prompt = 0; prompt < expected_.at("encoder_prompts").size(); ++prompt) {
    Ids wanted = expected_.at("greedy").at(prompt).get<Ids>();
    const auto end = std::ranges::find(wanted, 1);  // where the reference was not stopped
    const bool ends = end != wanted.end();
    wanted.erase(end, wanted.end());
    TranslationOptions options;
    options.max_tokens = 12;
    std::string streamed;
    const Generation generation = translator_.translate(expected_.at("encoder_prompts").at(prompt).get<Ids>(), greedy(),
                                                        options, [&](const GeneratedToken& token) {
                                                          streamed += token.text;
                                                          return true;
                                                        });
    EXPECT_EQ(generation.ids, wanted) << prompt;
    EXPECT_EQ(generation.stop, ends ? StopReason::kEndOfText : StopReason::kMaxTokens);
    EXPECT_EQ(streamed + generation.tail, generation.text);
  }
}

TEST_F(TranslatorTest, BeamsAreWhatRecomputingEachOfThemGives) {
  const Tensor encoded = model_->encode(source_);
  const auto ends = [](std::int32_t id) { return id == 1; };
  for (const bool begins : {false, true}) {
    TranslationOptions options;
    options.max_tokens = 7;
    options.beams = {4, 1.0, EarlyStopping::kNo};
    if (begins) options.first_token = 9;
    const std::int64_t given = begins ? 1 : 0;
    BeamSearch beams(options.beams, ends, options.max_tokens - given, given);
    while (!beams.done()) {
      std::vector<float> rows;
      for (const BeamSearch::Beam& beam : beams.live()) {
        Ids ids = begins ? Ids{0, 9} : Ids{0};
        ids.insert(ids.end(), beam.ids.begin(), beam.ids.end());
        const std::vector<float> row = next_row(encoded, ids);
        rows.insert(rows.end(), row.begin(), row.end());
      }
      beams.advance({rows.data(), static_cast<std::int64_t>(beams.live().size()), 256});
    }
    EXPECT_EQ(translator_.translate(source_, greedy(), options).ids, beams.best().ids);
  }
}

TEST_F(TranslatorTest, AnOutputBeginsWithTheTokenThatIsAskedFor) {
  TranslationOptions options;
  options.max_tokens = 4;
  options.first_token = 9;
  Ids ids = {0, 9};
  Ids wanted;
  for (int i = 0; i < 3; ++i) {  // the first token is one of the four
    const std::vector<float> row = next_row(model_->encode(source_), ids);
    ids.push_back(static_cast<std::int32_t>(std::max_element(row.begin(), row.end()) - row.begin()));
    if (ids.back() == 1) break;
    wanted.push_back(ids.back());
  }
  EXPECT_EQ(translator_.translate(source_, greedy(), options).ids, wanted);
}

TEST_F(TranslatorTest, DrawsBySeed) {
  SamplingOptions sampling;
  sampling.temperature = 2.0;
  sampling.top_p = 1.0;
  TranslationOptions options;
  options.max_tokens = 16;
  const Ids first = translator_.translate(source_, sampling, options).ids;
  EXPECT_EQ(translator_.translate(source_, sampling, options).ids, first);
  sampling.seed = 1;
  EXPECT_NE(translator_.translate(source_, sampling, options).ids, first);
}

TEST_F(TranslatorTest, TheCallbackStops) {
  TranslationOptions options;
  options.max_tokens = 8;
  for (const std::int64_t beams : {1, 3}) {
    options.beams.beams = beams;
    int seen = 0;
    const Generation generation =
        translator_.translate(source_, greedy(), options, [&](const GeneratedToken&) { return ++seen < 2; });
    EXPECT_LE(generation.ids.size(), 2U);
    if (generation.ids.size() == 2) {
      EXPECT_EQ(generation.stop, StopReason::kCallback);
    }
  }
}

TEST_F(TranslatorTest, NamesWhatIsWrong) {
  TranslationOptions options;
  EXPECT_EQ(test::error_message([&] { translator_.translate({}, greedy(), options); }),
            "translate: the source is empty");
  options.beams.beams = 2;
  SamplingOptions hot;
  EXPECT_NE(test::error_message([&] { translator_.translate(source_, hot, options); }).find("temperature=0.8"),
            std::string::npos);
  options.beams.beams = 1;
  options.first_token = 3;
  options.max_tokens = 0;
  EXPECT_NE(test::error_message([&] { translator_.translate(source_, greedy(), options); }).find("max_tokens=0"),
            std::string::npos);
  std::vector<std::string> many;
  for (int i = 0; i < 300; ++i) many.push_back("x" + std::to_string(i));
  const auto large = test::tokenizer_of(test::word_document(many));
  EXPECT_NE(test::error_message([&] { const Translator wrong(*model_, *large); }).find("do not belong together"),
            std::string::npos);
}

}  // namespace translator_test
}  // namespace witan
