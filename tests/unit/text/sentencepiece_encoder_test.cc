// Our encoder of SentencePiece models beside the library itself, on models of every kind that it follows.
#include "text/sentencepiece_encoder.h"

#include <gtest/gtest.h>
#include <sentencepiece_processor.h>
#include <sentencepiece_trainer.h>

#include <unordered_map>

#include "base/random.h"
#include "support/error_message.h"

namespace witan {
namespace sentencepiece_encoder_test {

using Options = std::unordered_map<std::string, std::string>;

class Lines : public sentencepiece::SentenceIterator {
 public:
  Lines() {
    const std::vector<std::string> words = {"the", "cat",  "sat",  "ﬁne", "mat", "and",  "der",     "Hund", "über",
                                            "été", "1024", "日本", "Ⅳ",   "...", "(see", "below).", "don't"};
    Random random(3);
    for (int line = 0; line < 300; ++line) {
      std::string& text = lines_.emplace_back();
      for (int word = 0; word < 9; ++word) text += words[random.below(words.size())] + " ";
    }
  }
  bool done() const override { return next_ >= lines_.size(); }
  void Next() override { ++next_; }
  const std::string& value() const override { return lines_[next_]; }
  sentencepiece::util::Status status() const override { return {}; }

 private:
  std::vector<std::string> lines_;
  std::size_t next_ = 0;
};

std::string trained(Options options) {
  options.merge(Options{{"hard_vocab_limit", "false"},
                        {"self_test_sample_size", "0"},
                        {"character_coverage", "0.999"},
                        {"num_threads", "1"},
                        {"minloglevel", "4"}});
  Lines lines;
  std::string model;
  const auto status = sentencepiece::SentencePieceTrainer::Train(options, &lines, &model);
  if (!status.ok()) throw std::runtime_error(status.ToString());
  return model;
}

struct Kind {
  const char* name;
  Options options;
};

class SentencePieceEncoderTest : public testing::TestWithParam<Kind> {};

TEST_P(SentencePieceEncoderTest, GivesTheIdsOfTheLibrary) {
  const std::string bytes = trained(GetParam().options);
  sentencepiece::SentencePieceProcessor library;
  ASSERT_TRUE(library.LoadFromSerializedProto(bytes).ok());
  const SentencePieceEncoder encoder(parse_sentencepiece_model(bytes, "model"), "model");
  const std::vector<std::string> parts = {"the", " ",       "  ",     "cat",  "über",   "日本",  "Ⅳ", "ﬁ",
                                          "x",   "猫",      "\n",     "\t",   "\u00A0", "1",     "0", "\u2581",
                                          "é",   "e\u0301", "<s>",    "</s>", "<unk>",  "don't", ".", "[USER]",
                                          "😀",   "\u200B",  "\u3000", "Ａ",   "\xFF",   "ab"};
  Random random(5);
  for (int round = 0; round < 500; ++round) {
    std::string text;
    const std::uint64_t count = round % 100 == 0 ? 300 : random.below(12);
    for (std::uint64_t i = 0; i < count; ++i) text += parts[random.below(parts.size())];
    std::vector<int> expected;
    ASSERT_TRUE(library.Encode(text, &expected).ok());
    std::vector<std::int32_t> ids;
    encoder.encode(text, SentencePieceNormalizer::Start::kText, ids);
    EXPECT_EQ(ids, std::vector<std::int32_t>(expected.begin(), expected.end())) << testing::PrintToString(text);
  }
}

INSTANTIATE_TEST_SUITE_P(
    Kinds, SentencePieceEncoderTest,
    testing::Values(
        Kind{"llama",
             {{"model_type", "bpe"},
              {"byte_fallback", "true"},
              {"vocab_size", "320"},
              {"normalization_rule_name", "identity"},
              {"remove_extra_whitespaces", "false"}}},
        Kind{"nllb", {{"model_type", "bpe"}, {"vocab_size", "90"}, {"normalization_rule_name", "nmt_nfkc"}}},
        Kind{"t5", {{"model_type", "unigram"}, {"vocab_size", "90"}, {"normalization_rule_name", "nmt_nfkc"}}},
        Kind{"unigram_bytes",
             {{"model_type", "unigram"},
              {"byte_fallback", "true"},
              {"vocab_size", "350"},
              {"normalization_rule_name", "nfkc_cf"},
              {"remove_extra_whitespaces", "false"}}},
        Kind{"user_pieces_bpe",
             {{"model_type", "bpe"}, {"vocab_size", "95"}, {"user_defined_symbols", "[USER],1,at ,the cat"}}},
        Kind{"user_pieces_unigram",
             {{"model_type", "unigram"}, {"vocab_size", "95"}, {"user_defined_symbols", "[USER],1,ab,the cat"}}},
        Kind{"no_prefix",
             {{"model_type", "unigram"},
              {"vocab_size", "90"},
              {"add_dummy_prefix", "false"},
              {"split_digits", "true"}}}),
    [](const auto& given) { return std::string(given.param.name); });

TEST(SentencePieceEncoderRefusalTest, SaysWhatItDoesNotFollow) {
  const auto message = [](const auto& change) {
    SentencePieceModel model = parse_sentencepiece_model(trained({{"model_type", "bpe"}, {"vocab_size", "90"}}), "m");
    change(model);
    return test::error_message([&] { const SentencePieceEncoder encoder(model, "m"); });
  };
  using Type = SentencePieceModel::Type;
  EXPECT_EQ(message([](SentencePieceModel& m) { m.algorithm = SentencePieceModel::Algorithm::kWord; }),
            "m: the model is neither BPE nor unigram, which Witan does not support");
  EXPECT_NE(message([](SentencePieceModel& m) { m.spaces_are_suffixes = true; }).find("at the end of words"),
            std::string::npos);
  EXPECT_NE(message([](SentencePieceModel& m) { m.escapes_spaces = false; }).find("escape"), std::string::npos);
  EXPECT_NE(message([](SentencePieceModel& m) { m.changes_decoded_text = true; }).find("decoded"), std::string::npos);
  EXPECT_NE(message([](SentencePieceModel& m) { m.pieces[5].type = Type::kUnused; }).find("unused"), std::string::npos);
  EXPECT_NE(message([](SentencePieceModel& m) { m.pieces[0].type = Type::kControl; }).find("unknown"),
            std::string::npos);
  EXPECT_NE(message([](SentencePieceModel& m) { m.pieces[1].type = Type::kUnknown; }).find("both"), std::string::npos);
  EXPECT_EQ(message([](SentencePieceModel& m) { m.byte_fallback = true; }), "m: no piece for byte 0");
  EXPECT_NE(message([](SentencePieceModel& m) { m.character_map = "ab"; }).find("character map"), std::string::npos);
  EXPECT_EQ(message([](SentencePieceModel& m) {
              m.pieces.push_back({"Q!", -1.0F, Type::kNormal});
            }),
            "m: piece 'Q!' is made of 'Q', which is no piece");
}

}  // namespace sentencepiece_encoder_test
}  // namespace witan
