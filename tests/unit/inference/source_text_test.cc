// SourceText: the token of the language around a text, as transformers' NllbTokenizer puts it.
#include "inference/source_text.h"

#include <gtest/gtest.h>

#include "base/file.h"
#include "support/error_message.h"
#include "support/temporary_folder.h"
#include "support/tiny_tokenizer.h"

namespace witan {
namespace source_text_test {

using Ids = std::vector<std::int32_t>;

// <unk> 0, one 1, two 2, </s> 3, eng_Latn 4, fra_Latn 5, zho_Hans 6, <mask> 7.
std::unique_ptr<Tokenizer> with_languages() {
  nlohmann::json added = nlohmann::json::array();
  for (const char* token : {"</s>", "eng_Latn", "fra_Latn", "zho_Hans", "<mask>"}) {
    added.push_back({{"content", token}, {"special", true}, {"normalized", false}});
  }
  // As released files have it, for another language than asked for.
  const nlohmann::json processor = {
      {"type", "TemplateProcessing"},
      {"single",
       {{{"Sequence", {{"id", "A"}}}}, {{"SpecialToken", {{"id", "</s>"}}}}, {{"SpecialToken", {{"id", "eng_Latn"}}}}}},
      {"special_tokens", {{"</s>", {{"ids", {3}}}}, {"eng_Latn", {{"ids", {4}}}}}}};
  return test::tokenizer_of(test::word_document(
      {"one", "two"},
      {{"added_tokens", added}, {"post_processor", processor}, {"pre_tokenizer", {{"type", "WhitespaceSplit"}}}}));
}

EncoderDecoderConfig nllb() {
  EncoderDecoderConfig config;
  config.model_type = "nllb_moe";
  config.names_languages = true;
  return config;
}

class SourceTextTest : public testing::Test {
 protected:
  SourceText read(const std::string& tokenizer_config) {
    if (!tokenizer_config.empty()) write_file(folder_ / "tokenizer_config.json", tokenizer_config);
    return {folder_.path(), nllb(), *tokenizer_};
  }

  test::TemporaryFolder folder_;
  std::unique_ptr<Tokenizer> tokenizer_ = with_languages();
};

TEST_F(SourceTextTest, TheLanguageStandsBeforeAndTheEndBehind) {
  const SourceText text = read("");
  EXPECT_EQ(text.languages(), (std::vector<std::string>{"eng_Latn", "fra_Latn", "zho_Hans"}));
  EXPECT_EQ(text.ids("one two", "fra_Latn"), (Ids{5, 1, 2, 3}));
  EXPECT_EQ(text.language_token("zho_Hans"), 6);
  EXPECT_EQ(text.default_source(), "eng_Latn");
  EXPECT_EQ(text.default_target(), "");
}

TEST_F(SourceTextTest, LegacyFilesHaveBothBehind) {
  const SourceText text = read(R"({"legacy_behaviour": true, "src_lang": "zho_Hans", "tgt_lang": "fra_Latn"})");
  EXPECT_EQ(text.ids("one two", "fra_Latn"), (Ids{1, 2, 3, 5}));
  EXPECT_EQ(text.default_source(), "zho_Hans");
  EXPECT_EQ(text.default_target(), "fra_Latn");
}

TEST_F(SourceTextTest, NullsSayNothing) {
  const SourceText text = read(R"({"legacy_behaviour": null, "src_lang": null})");
  EXPECT_EQ(text.default_source(), "eng_Latn");
  EXPECT_EQ(text.ids("two", "eng_Latn"), (Ids{4, 2, 3}));
}

TEST_F(SourceTextTest, AnUnknownLanguageNamesTheNearest) {
  const SourceText text = read("");
  const std::string message = test::error_message([&] { text.ids("one", "fra_Latin"); });
  EXPECT_NE(message.find("did you mean 'fra_Latn'"), std::string::npos) << message;
  // A token that is no language is none.
  EXPECT_NE(test::error_message([&] { text.ids("one", "<mask>"); }).find("unknown language"), std::string::npos);
}

TEST_F(SourceTextTest, MoreThanCanBeReadIsRefused) {
  std::string line;
  for (std::size_t i = 0; i < kLongestSource - 2; ++i) line += "one ";
  const SourceText text = read("");
  EXPECT_EQ(text.ids(line, "fra_Latn").size(), kLongestSource);
  line += "two";
  EXPECT_NE(test::error_message([&] { text.ids(line, "fra_Latn"); }).find("65537 tokens, expected at most 65536"),
            std::string::npos);
}

TEST_F(SourceTextTest, OtherModelsGetWhatTheirTokenizerPutsAround) {
  const SourceText text(folder_.path(), EncoderDecoderConfig{}, *tokenizer_);
  EXPECT_TRUE(text.languages().empty());
  EXPECT_EQ(text.ids("one", ""), (Ids{1, 3, 4}));
}

TEST_F(SourceTextTest, ATokenizerWithoutLanguagesOrOddNamesIsRefused) {
  const auto plain = test::tokenizer_of(test::word_document({"one"}));
  EXPECT_NE(test::error_message([&] { SourceText(folder_.path(), nllb(), *plain); }).find("no token of one"),
            std::string::npos);
  EXPECT_NE(test::error_message([&] { read(R"({"src_lang": 3})"); }).find("src_lang"), std::string::npos);
  EXPECT_NE(test::error_message([&] { read(R"({"legacy_behaviour": "no"})"); }).find("legacy_behaviour"),
            std::string::npos);
}

}  // namespace source_text_test
}  // namespace witan
