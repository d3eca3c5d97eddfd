// PairMaker: what each stack is shown of a text, and how text is cut and chosen.
#include "inspection/text_pairs.h"

#include <gtest/gtest.h>

#include "support/error_message.h"
#include "support/temporary_folder.h"
#include "support/tiny_tokenizer.h"

namespace witan {
namespace text_pairs_test {

using Ids = std::vector<std::int32_t>;

// <unk> 0, one 1, two 2, three 3, é 4, </s> 5, eng_Latn 6, fra_Latn 7.
std::unique_ptr<Tokenizer> words() {
  nlohmann::json added = nlohmann::json::array();
  for (const char* token : {"</s>", "eng_Latn", "fra_Latn"}) {
    added.push_back({{"content", token}, {"special", true}, {"normalized", false}});
  }
  return test::tokenizer_of(test::word_document(
      {"one", "two", "three", "é"}, {{"added_tokens", added}, {"pre_tokenizer", {{"type", "WhitespaceSplit"}}}}));
}

EncoderDecoderConfig config(bool languages) {
  EncoderDecoderConfig result;
  result.vocab_size = 8;
  result.model_type = languages ? "nllb_moe" : "switch_transformers";
  result.names_languages = languages;
  result.decoder_start_token_id = 5;
  result.eos_token_ids = {5};
  return result;
}

struct Fixture {
  explicit Fixture(bool languages, PairOptions options = {})
      : model(config(languages)), source(folder.path(), model, *tokenizer), maker(model, *tokenizer, source, options) {}

  test::TemporaryFolder folder;
  std::unique_ptr<Tokenizer> tokenizer = words();
  EncoderDecoderConfig model;
  SourceText source;
  PairMaker maker;
};

TEST(TextPairsTest, TheDecoderIsGivenTheOutputBehindItsStart) {
  const Fixture fixture(false);
  const std::vector<PairedLine> lines = {{"one two", "three"}, {" ", "one"}, {"two", "one two", 3}};
  const std::vector<TextPair> pairs = fixture.maker.of_lines(lines);
  ASSERT_EQ(pairs.size(), 2U);
  EXPECT_EQ(pairs[0].source, (Ids{1, 2}));
  EXPECT_EQ(pairs[0].inputs, (Ids{5, 3}));
  EXPECT_EQ(pairs[0].targets, (Ids{3, 5}));
  EXPECT_EQ(pairs[1].inputs, (Ids{5, 1, 2}));
  EXPECT_EQ(pairs[1].targets, (Ids{1, 2, 5}));
  EXPECT_EQ(pairs[1].domain, 3);
}

TEST(TextPairsTest, LanguagesStandWhereAModelThatTranslatesWantsThem) {
  const Fixture fixture(true, {.source_language = "eng_Latn", .target_language = "fra_Latn"});
  const std::vector<PairedLine> lines = {{"one", "two three"}};
  const TextPair pair = fixture.maker.of_lines(lines).front();
  EXPECT_EQ(pair.source, (Ids{6, 1, 5}));
  EXPECT_EQ(pair.inputs, (Ids{5, 7, 2, 3}));
  EXPECT_EQ(pair.targets, (Ids{kNoTarget, 2, 3, 5}));
  const std::string message = test::error_message([] { Fixture(true, {.source_language = "eng_Latn"}); });
  EXPECT_NE(message.find("unknown language ''"), std::string::npos) << message;
}

TEST(TextPairsTest, StretchesOfATextAreTheText) {
  std::string text;
  for (int i = 0; i < 500; ++i) text += i % 3 == 0 ? "one two " : "é\n";
  const Fixture fixture(false, {.sequence_length = 20, .tokens = 1 << 20});
  const std::vector<Document> documents = {{text, 0}, {" \n ", 0}, {"three", 1}};
  Ids read;
  const std::vector<TextPair> pairs = fixture.maker.of_documents(documents);
  for (const TextPair& pair : pairs) {
    EXPECT_LT(pair.source.size(), 40U);
    EXPECT_EQ(Ids(pair.inputs.begin() + 1, pair.inputs.end()), pair.source);
    read.insert(read.end(), pair.source.begin(), pair.source.end());
  }
  Ids expected = fixture.tokenizer->encode(text);
  expected.push_back(3);
  EXPECT_EQ(read, expected);
  EXPECT_EQ(pairs.back().domain, 1);
}

TEST(TextPairsTest, TextWithoutSpacesIsCutBetweenCharacters) {
  std::string text;
  for (int i = 0; i < 3000; ++i) text += "é";
  const Fixture fixture(false, {.sequence_length = 1, .tokens = 1 << 20});
  const std::vector<Document> documents = {{text, 0}};
  EXPECT_GT(fixture.maker.of_documents(documents).size(), 1U);
}

TEST(TextPairsTest, SomeAreChosenEvenly) {
  std::vector<PairedLine> lines(100, {"one two", "two"});
  for (std::size_t i = 50; i < 100; ++i) lines[i].domain = 1;
  const Fixture fixture(false, {.tokens = 20});
  const std::vector<TextPair> pairs = fixture.maker.of_lines(lines);
  ASSERT_EQ(pairs.size(), 10U);
  EXPECT_EQ(pairs[4].domain, 0);
  EXPECT_EQ(pairs[5].domain, 1);
}

TEST(TextPairsTest, AStartOrAnEndThatTheTokenizerDoesNotHaveIsRefused) {
  const test::TemporaryFolder folder;
  const std::unique_ptr<Tokenizer> tokenizer = words();
  const auto message_of = [&](const EncoderDecoderConfig& model) {
    const SourceText source(folder.path(), model, *tokenizer);
    return test::error_message([&] { PairMaker(model, *tokenizer, source, {}); });
  };
  EncoderDecoderConfig model = config(false);
  EXPECT_EQ(message_of(model), "no error");
  model.eos_token_ids = {8};
  EXPECT_NE(message_of(model).find("end of an output is token 8, the tokenizer has 8"), std::string::npos);
  model.eos_token_ids = {};
  model.decoder_start_token_id = 9;
  EXPECT_NE(message_of(model).find("start of an output is token 9"), std::string::npos);
}

TEST(TextPairsTest, NothingToReadIsRefused) {
  const Fixture fixture(false);
  const std::vector<Document> blank = {{" \n", 0}};
  EXPECT_NE(test::error_message([&] { fixture.maker.of_documents(blank); }).find("no word"), std::string::npos);
  const std::vector<PairedLine> lines = {{"one", ""}};
  EXPECT_NE(test::error_message([&] { fixture.maker.of_lines(lines); }).find("of 1 lines"), std::string::npos);
}

}  // namespace text_pairs_test
}  // namespace witan
