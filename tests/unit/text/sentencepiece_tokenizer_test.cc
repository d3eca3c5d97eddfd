// Folders with a SentencePiece model alone: texts come back, files do, and what is wrong beside the model is told. The
// ids are golden/tokenizers_test.cc's.
#include "text/sentencepiece_tokenizer.h"

#include <gtest/gtest.h>

#include "base/file.h"
#include "support/error_message.h"
#include "support/temporary_folder.h"

namespace witan {
namespace sentencepiece_tokenizer_test {

namespace fs = std::filesystem;

fs::path golden(const char* name) { return fs::path(WITAN_TEST_DATA) / "golden" / "tokenizers" / name; }

class SentencePieceTokenizerTest : public testing::Test {
 protected:
  void copy(const char* name, const char* file) { fs::copy_file(golden(name) / file, folder_ / file); }
  std::string refusal(const char* file, const std::string& content) {
    write_file(folder_ / file, content);
    return test::error_message([&] { load_tokenizer(folder_.path()); });
  }
  test::TemporaryFolder folder_;
};

TEST_F(SentencePieceTokenizerTest, TextsComeBackAtOnceAndAsAStream) {
  for (const char* name : {"llama", "llama_one_prefix", "t5", "t5_one_prefix"}) {
    const auto tokenizer = load_tokenizer(golden(name));
    for (const std::string text : {"the cat sat", "don't sit", "日本 über", "cat"}) {
      const std::vector<std::int32_t> ids = tokenizer->encode_with_special(text);
      const auto stream = tokenizer->stream(SpecialTokens::kSkip);
      std::string streamed;
      for (const std::int32_t id : ids) streamed += stream->push(id);
      streamed += stream->finish();
      EXPECT_EQ(tokenizer->decode(ids), streamed);
      const bool spells_all = std::string(name).starts_with("llama") || text.find("sit") == std::string::npos;
      if (spells_all) {
        EXPECT_EQ(streamed, text);
      }
    }
  }
}

TEST_F(SentencePieceTokenizerTest, BytesMakeWholeCharacters) {
  const auto tokenizer = load_tokenizer(golden("llama"));
  const auto stream = tokenizer->stream();
  for (const std::int32_t id : tokenizer->encode("a 😀!")) {
    const std::string said = stream->push(id);
    EXPECT_EQ(said.find("\xEF\xBF\xBD"), std::string::npos);
    EXPECT_TRUE(said.empty() || (static_cast<unsigned char>(said[0]) & 0xC0) != 0x80);
  }
  EXPECT_EQ(tokenizer->decode(tokenizer->encode("a 😀!")), "a 😀!");
}

TEST_F(SentencePieceTokenizerTest, SpecialTokensAreShownOnDemand) {
  const auto tokenizer = load_tokenizer(golden("llama"));
  EXPECT_EQ(tokenizer->bos_id(), 1);
  EXPECT_EQ(tokenizer->eos_id(), 2);
  EXPECT_EQ(tokenizer->decode(tokenizer->encode_with_special("cat")), "cat");
  EXPECT_EQ(tokenizer->decode(tokenizer->encode_with_special("cat"), SpecialTokens::kKeep), "<s> cat");
  EXPECT_EQ(tokenizer->added_special_tokens(), (std::vector<std::string>{"<unk>", "<s>", "</s>"}));
  const auto nllb = load_tokenizer(golden("nllb"));
  EXPECT_EQ(nllb->token_id("eng_Latn"), nllb->token_id("ace_Arab") + 1);
  EXPECT_EQ(nllb->vocab_size(), nllb->token_id("<mask>") + 1);
}

TEST_F(SentencePieceTokenizerTest, NllbPutsTheMaskBehindItsLanguages) {
  copy("nllb", "sentencepiece.bpe.model");
  write_file(folder_ / "special_tokens_map.json", R"({"additional_special_tokens": ["ace_Arab", "fra_Latn"]})");
  const auto tokenizer = load_tokenizer(folder_.path());
  EXPECT_EQ(tokenizer->added_special_tokens(),
            (std::vector<std::string>{"<s>", "<pad>", "</s>", "<unk>", "ace_Arab", "fra_Latn", "<mask>"}));
  EXPECT_EQ(tokenizer->vocab_size(), tokenizer->token_id("<mask>") + 1);
}

TEST_F(SentencePieceTokenizerTest, SavesWhatItWasLoadedFrom) {
  load_tokenizer(golden("t5_one_prefix"))->save(folder_.path());
  for (const char* file : {"spiece.model", "tokenizer_config.json", "added_tokens.json"}) {
    EXPECT_EQ(read_text_file(folder_ / file), read_text_file(golden("t5_one_prefix") / file));
  }
}

TEST_F(SentencePieceTokenizerTest, SaysWhatIsWrongBesideTheModel) {
  copy("llama", "tokenizer.model");
  const char* file = "tokenizer_config.json";
  const std::string path = (folder_ / file).string();
  EXPECT_EQ(refusal(file, R"({"tokenizer_class": "GemmaTokenizerFast"})"),
            path +
                ": tokenizer_class: GemmaTokenizer without a tokenizer.json is not known (known: LlamaTokenizer with "
                "tokenizer.model, T5Tokenizer with spiece.model, NllbTokenizer with sentencepiece.bpe.model)");
  EXPECT_EQ(refusal(file, R"({"added_tokens_decoder": {"4000000000": {"content": "<x>"}}})"),
            path + ": added_tokens_decoder: the id 4000000000 of \"<x>\" is out of range");
  EXPECT_EQ(refusal(file, R"({"added_tokens_decoder": {"x": {"content": "<x>"}}})"),
            path + ": added_tokens_decoder: \"x\" is no id");
  EXPECT_NE(refusal(file, R"({"added_tokens_decoder": 3})").find("expected an object"), std::string::npos);
  EXPECT_NE(refusal(file, R"({"legacy": "yes"})").find("expected true or false"), std::string::npos);
  EXPECT_NE(refusal(file, R"({"sp_model_kwargs": {"alpha": 0.1}})").find("sp_model_kwargs"), std::string::npos);
  write_file(folder_ / file, "{}");
  EXPECT_EQ(refusal("added_tokens.json", R"({"<x>": -1})"),
            (folder_ / "added_tokens.json").string() + ": the id -1 of \"<x>\" is out of range");
}

TEST_F(SentencePieceTokenizerTest, T5WantsAsManyBlanksAsItLists) {
  copy("t5", "spiece.model");
  EXPECT_NE(refusal("tokenizer_config.json", R"({"additional_special_tokens": ["<extra_id_0>"]})")
                .find("extra_ids=100, but additional_special_tokens has 1"),
            std::string::npos);
  EXPECT_NE(refusal("tokenizer_config.json", R"({"extra_ids": -1})").find("out of range"), std::string::npos);
}

TEST_F(SentencePieceTokenizerTest, NllbWantsItsFirstPieces) {
  fs::copy_file(golden("t5") / "spiece.model", folder_ / "sentencepiece.bpe.model");
  EXPECT_NE(test::error_message([&] { load_tokenizer(folder_.path()); }).find("expected <unk> as in NLLB's models"),
            std::string::npos);
}

}  // namespace sentencepiece_tokenizer_test
}  // namespace witan
