// Tokenizers: nothing is lost, the ids are those of SentencePiece, files round-trip, and damage gives an Error.
#include "text/tokenizer.h"

#include <gtest/gtest.h>
#include <sentencepiece_processor.h>

#include <nlohmann/json.hpp>
#include <sstream>

#include "base/file.h"
#include "base/json.h"
#include "support/error_message.h"
#include "support/mutate.h"
#include "support/temporary_folder.h"
#include "text/bpe_tokenizer.h"

namespace witan {
namespace tokenizer_test {

using test::error_message;
using test::TemporaryFolder;

// A few kilobytes that no other test needs to know: prose, code, and scripts without spaces.
std::string sample_text() {
  const std::vector<std::string> words = {"the",  "cat",     "sat",  "on",     "a",    "mat",   "and",   "der",
                                          "Hund", "schläft", "über", "dem",    "été",  "naïve", "x",     "1024",
                                          "(see", "below).", "猫が", "座る。", "日本", "語",    "don't", "--flag"};
  Random random(1);
  std::string text;
  for (int line = 0; line < 400; ++line) {
    if (line % 7 == 0) text += "    if (x == 3) {\n        return;\n    }\n";
    for (std::uint64_t word = 0; word < 3 + random.below(9); ++word) {
      text += words[random.below(words.size())] + (random.below(5) == 0 ? "" : " ");
    }
    text += line % 5 == 0 ? ".\n\n" : "\n";
  }
  return text;
}

const Tokenizer& trained() {
  static const std::string text = sample_text();
  static const std::unique_ptr<Tokenizer> tokenizer = train_sentencepiece({text}, 420, 1);
  return *tokenizer;
}

const std::vector<std::string>& nasty_strings() {
  static const std::vector<std::string> strings = {"",
                                                   " ",
                                                   "the cat",
                                                   " the cat ",
                                                   "   leading and trailing   ",
                                                   "\n",
                                                   "\n\n\n",
                                                   "a\n b\n  c",
                                                   "CR\r\nLF\rboth\r\n",
                                                   "tab\tand\t\ttabs",
                                                   std::string("nul\0inside", 10),
                                                   "\u2581",
                                                   "a\u2581b \u2581 c",
                                                   "\u2585 and \u2581\u2581",
                                                   "\uFEFFbom and \uFFFD",
                                                   "👩‍👩‍👧‍👦 family",
                                                   "e\u0301 combining a\u0308\u0323",
                                                   "\u00A0no-break\u3000wide\u200Bzero",
                                                   "<s></s><unk><0x41><pad>",
                                                   "猫が座る。日本語の文章です。",
                                                   "שלום العربية",
                                                   "𝔘𝔫𝔦𝔠𝔬𝔡𝔢 🇩🇪",
                                                   "\x01\x1F\x7F",
                                                   std::string(5000, 'a'),
                                                   std::string(3000, ' ') + "x",
                                                   "\xFF\xC3",  // not UTF-8, and still nothing is lost
                                                   "a\xE2\x82 b\xED\xA0\x80"};
  return strings;
}

TEST(TokenizerTest, LosesNothing) {
  const std::unique_ptr<Tokenizer> bytes = make_byte_tokenizer();
  for (const Tokenizer* tokenizer : {&trained(), static_cast<const Tokenizer*>(bytes.get())}) {
    for (const std::string& text : nasty_strings()) EXPECT_EQ(tokenizer->decode(tokenizer->encode(text)), text);
    EXPECT_EQ(tokenizer->decode(tokenizer->encode(sample_text())), sample_text());
  }
}

TEST(TokenizerTest, LosesNothingOfRandomCharacters) {
  const std::vector<std::string> parts = {"a",  "the", " ",      "  ",     "\n", "\r\n", "\t", "ä",
                                          "猫", "😀",   "\u2581", "\u0301", ".",  "\xE2", "0",  "<s>"};
  Random random(5);
  for (int round = 0; round < 500; ++round) {
    std::string text;
    for (std::uint64_t i = 0; i < random.below(30); ++i) text += parts[random.below(parts.size())];
    EXPECT_EQ(trained().decode(trained().encode(text)), text);
  }
}

TEST(TokenizerTest, GivesTheIdsOfSentencePiece) {
  const TemporaryFolder folder;
  trained().save(folder.path());
  sentencepiece::SentencePieceProcessor reference;
  ASSERT_TRUE(reference.Load((folder / "tokenizer.model").string()).ok());
  EXPECT_EQ(reference.GetPieceSize(), trained().vocab_size());
  std::vector<std::string> texts = nasty_strings();
  texts.push_back(sample_text());
  for (const std::string& text : texts) {
    // What it reads as a space, or replaces, we keep.
    if (text.find("\u2581") != std::string::npos || text.find('\xFF') != std::string::npos ||
        text.find("\xED\xA0") != std::string::npos) {
      continue;
    }
    std::vector<int> expected;
    ASSERT_TRUE(reference.Encode(text, &expected).ok());
    EXPECT_EQ(trained().encode(text), std::vector<std::int32_t>(expected.begin(), expected.end())) << text;
  }
}

TEST(TokenizerTest, CompressesWhatItLearned) {
  const std::string text = sample_text();
  EXPECT_LT(trained().encode(text).size(), text.size() / 2);
  EXPECT_EQ(trained().encode("        return;").size(), trained().encode("return;").size() + 1);
}

TEST(TokenizerTest, TrainingIsDeterministic) {
  const std::string text = sample_text();
  const auto first = train_sentencepiece({text}, 350, 9);
  const auto second = train_sentencepiece({text}, 350, 9);
  const TemporaryFolder folder;
  first->save(folder / "1");
  second->save(folder / "2");
  EXPECT_EQ(read_text_file(folder / "1/tokenizer.model"), read_text_file(folder / "2/tokenizer.model"));
}

TEST(TokenizerTest, TextThatLooksLikeSpecialTokensStaysText) {
  std::string text;
  for (int i = 0; i < 200; ++i) text += "<s>struck</s> <unk><0x41> line\n";
  const auto tokenizer = train_sentencepiece({text}, 280, 0);
  const std::vector<std::int32_t> ids = tokenizer->encode("<s>struck</s> <unk><0x41>");
  for (const std::int32_t id : ids) EXPECT_FALSE(tokenizer->token_bytes(id).empty());
  EXPECT_EQ(tokenizer->decode(ids), "<s>struck</s> <unk><0x41>");
}

TEST(TokenizerTest, AShortTextGetsAVocabularyItSupports) {
  const auto size = [](std::size_t bytes, std::int64_t wanted) {
    const std::string text = sample_text();
    std::string part;
    while (part.size() < bytes) part += text.substr(0, std::min(text.size(), bytes - part.size()));
    return train_sentencepiece({part}, wanted, 0, VocabSize::kAtMost)->vocab_size();
  };
  EXPECT_EQ(size(3000, 4096), 259 + 70) << "0.07 / 3 of the bytes";
  EXPECT_EQ(size(3000, 300), 300) << "what is wanted and supported";
  EXPECT_EQ(size(300, 4096), 259 + 16) << "the least";
  const std::string few = "aaaa\n";
  EXPECT_LT(train_sentencepiece({few}, 4096, 0, VocabSize::kAtMost)->vocab_size(), 259 + 16) << "nothing more to merge";
}

TEST(TokenizerTest, LinesBeyondTheLongestAreCutBetweenCharacters) {
  std::string text;
  for (int i = 0; i < 6000; ++i) text += i % 3 == 0 ? "日本" : "語の";
  const auto tokenizer = train_sentencepiece({text}, 275, 0);
  EXPECT_EQ(tokenizer->decode(tokenizer->encode(text)), text);
  EXPECT_LT(tokenizer->encode(text).size(), text.size() / 3);
}

TEST(TokenizerTest, ShowsProgressOnTheStreamItIsGiven) {
  std::ostringstream out;
  ProgressOptions progress;
  progress.out = &out;
  train_sentencepiece({sample_text()}, 300, 0, VocabSize::kExactly, progress);
  EXPECT_TRUE(out.str().starts_with("train tokenizer: ")) << out.str();
  EXPECT_TRUE(out.str().ends_with("300 pieces\n")) << out.str();
}

TEST(TokenizerTest, SaysWhatVocabularyIsPossible) {
  const std::string text = "just a few words, just a few\n";
  const std::string message = error_message([&] { train_sentencepiece({text}, 5000, 0); });
  ASSERT_TRUE(message.starts_with("tokenizer.vocab_size: 5000 exceeds ")) << message;
  const std::int64_t most = std::stoll(message.substr(std::string("tokenizer.vocab_size: 5000 exceeds ").size()));
  EXPECT_EQ(train_sentencepiece({text}, most, 0)->vocab_size(), most);
  EXPECT_NE(error_message([&] { train_sentencepiece({text}, most + 1, 0); }), "no error");
  EXPECT_TRUE(error_message([&] {
                train_sentencepiece({text}, 259, 0);
              }).starts_with("tokenizer.vocab_size: 259 is out of range (expected 260 to 1048576"));
  EXPECT_EQ(error_message([&] { train_sentencepiece({""}, 300, 0); }), "tokenizer.vocab_size: no text to train on");
  EXPECT_EQ(error_message([&] { train_sentencepiece({}, 300, 0); }), "tokenizer.vocab_size: no text to train on");
}

TEST(TokenizerTest, AManyCharactersAlphabetLeavesRoomForMerges) {
  std::string text;  // 2000 different characters, each a few times
  for (int round = 0; round < 3; ++round) {
    for (int code = 0x4E00; code < 0x4E00 + 2000; ++code) {
      text += {static_cast<char>(0xE0 | (code >> 12)), static_cast<char>(0x80 | ((code >> 6) & 0x3F)),
               static_cast<char>(0x80 | (code & 0x3F))};
    }
  }
  const auto tokenizer = train_sentencepiece({text}, 400, 0);
  EXPECT_EQ(tokenizer->vocab_size(), 400);
  EXPECT_EQ(tokenizer->decode(tokenizer->encode(text)), text);
}

TEST(TokenizerTest, SpecialTokensHaveNoText) {
  EXPECT_EQ(trained().bos_id(), 1);
  EXPECT_EQ(trained().eos_id(), 2);
  const auto bytes = make_byte_tokenizer();
  EXPECT_EQ(bytes->vocab_size(), 258);
  for (const Tokenizer* tokenizer : {&trained(), static_cast<const Tokenizer*>(bytes.get())}) {
    EXPECT_EQ(tokenizer->token_bytes(tokenizer->bos_id()), "");
    EXPECT_EQ(tokenizer->token_bytes(tokenizer->eos_id()), "");
  }
}

TEST(TokenizerTest, FilesRoundTrip) {
  const TemporaryFolder folder;
  trained().save(folder / "bpe");
  make_byte_tokenizer()->save(folder / "bytes");
  const auto bpe = load_tokenizer(folder / "bpe");
  const auto bytes = load_tokenizer(folder / "bytes");
  EXPECT_EQ(bpe->encode(sample_text()), trained().encode(sample_text()));
  EXPECT_EQ(bytes->vocab_size(), 258);
  for (const char* kind : {"bpe", "bytes"}) {
    const auto path = folder.path() / kind;
    const nlohmann::json config = read_json_file(path / "tokenizer_config.json");
    EXPECT_EQ(config["bos_token"], "<s>");
    EXPECT_EQ(read_json_file(path / "special_tokens_map.json")["eos_token"], "</s>");
    const nlohmann::json json = read_json_file(path / "tokenizer.json");
    EXPECT_EQ(json["model"]["vocab"].size(), static_cast<std::size_t>(load_tokenizer(path)->vocab_size()));
    EXPECT_EQ(json["model"]["type"], "BPE");
  }
}

// As Transformers takes the tokenizer.json of a folder that has both files.
TEST(TokenizerTest, TokensAddedInATokenizerJsonCount) {
  const TemporaryFolder folder;
  trained().save(folder / "bpe");
  make_byte_tokenizer()->save(folder / "bytes");
  for (const char* kind : {"bpe", "bytes"}) {
    const auto path = folder.path() / kind;
    const auto before = load_tokenizer(path);
    EXPECT_EQ(before->token_id("<s>"), -1) << "our own, to which all text is text";
    nlohmann::json json = read_json_file(path / "tokenizer.json");
    const auto id = static_cast<std::int32_t>(before->vocab_size());
    json["added_tokens"].push_back({{"id", id},
                                    {"content", "<|user|>"},
                                    {"single_word", false},
                                    {"lstrip", false},
                                    {"rstrip", false},
                                    {"normalized", false},
                                    {"special", true}});
    write_file(path / "tokenizer.json", json.dump());
    const auto after = load_tokenizer(path);
    EXPECT_EQ(after->vocab_size(), id + 1) << kind;
    std::vector<std::int32_t> expected = before->encode_with_special("the cat");
    EXPECT_EQ(after->encode_with_special("the cat"), expected) << kind;
    expected.push_back(id);
    EXPECT_EQ(after->encode_with_special("the cat<|user|>"), expected) << kind;
  }
}

TEST(TokenizerTest, TheConfigurationOfAFolderCounts) {
  const TemporaryFolder folder;
  trained().save(folder.path());
  nlohmann::json config = read_json_file(folder / "tokenizer_config.json");
  config["add_bos_token"] = false;
  write_file(folder / "tokenizer_config.json", config.dump());
  EXPECT_EQ(load_tokenizer(folder.path())->encode_with_special("the cat"), trained().encode("the cat"));
}

TEST(TokenizerTest, SaysWhatIsMissingOrForeign) {
  const TemporaryFolder folder;
  const std::string path = folder.path().string();
  EXPECT_EQ(error_message([&] { load_tokenizer(folder.path()); }),
            path + ": no tokenizer: looked for tokenizer.json, tokenizer.model, spiece.model, sentencepiece.bpe.model");
  write_file(folder / "tokenizer.json", R"({"model": {"type": "WordPiece"}})");
  EXPECT_EQ(error_message([&] { load_tokenizer(folder.path()); }),
            path + "/tokenizer.json: model.vocab is missing: not a tokenizer.json");
  write_file(folder / "tokenizer.json", "{");
  EXPECT_TRUE(error_message([&] { load_tokenizer(folder.path()); }).find("invalid JSON at byte 2") !=
              std::string::npos);
  std::filesystem::remove(folder / "tokenizer.json");
  write_file(folder / "tokenizer.model", "not a model");
  EXPECT_EQ(error_message([&] { load_tokenizer(folder.path()); }),
            path + "/tokenizer.model: broken, or no SentencePiece model");
  write_file(folder / "tokenizer.model", "");
  EXPECT_EQ(error_message([&] { load_tokenizer(folder.path()); }),
            path + "/tokenizer.model: broken, or no SentencePiece model");
}

TEST(TokenizerTest, AForeignModelBesideATokenizerJsonIsOfNoInterest) {
  const TemporaryFolder folder;
  trained().save(folder.path());
  for (const char* content : {"", "version https://git-lfs.github.com/spec/v1\n", "IQ== 0\nIg== 1\n"}) {
    write_file(folder / "tokenizer.model", content);
    EXPECT_EQ(load_tokenizer(folder.path())->encode("the cat"), trained().encode("the cat"));
  }
}

TEST(TokenizerTest, WhatStandsBesideATrainedOneCounts) {
  const TemporaryFolder folder;
  trained().save(folder.path());
  const std::int32_t usual = load_tokenizer(folder.path())->eos_id();
  nlohmann::json config = read_json_file(folder / "tokenizer_config.json");
  config["eos_token"] = "<unk>";
  write_file(folder / "tokenizer_config.json", config.dump());
  std::filesystem::remove(folder / "special_tokens_map.json");
  EXPECT_NE(load_tokenizer(folder.path())->eos_id(), usual);
  write_file(folder / "chat_template.jinja", "{{ messages }}");
  load_tokenizer(folder.path())->save(folder / "copy");
  EXPECT_EQ(read_text_file(folder / "copy/chat_template.jinja"), "{{ messages }}");
}

TEST(TokenizerTest, DamageIsAnErrorOrHarmless) {
  const TemporaryFolder folder;
  trained().save(folder.path());
  const std::string model = read_text_file(folder / "tokenizer.model");
  Random random(3);
  int refused = 0;
  for (int i = 0; i < 2000; ++i) {
    try {
      const BpeTokenizer tokenizer(test::mutated(model, random), "damaged");
      for (const std::string& text : nasty_strings()) {
        if (text.size() > 100) continue;
        for (const std::int32_t id : tokenizer.encode(text)) EXPECT_LT(id, tokenizer.vocab_size());
      }
    } catch (const Error&) {
      ++refused;
    }
  }
  EXPECT_GT(refused, 200);
  EXPECT_LT(refused, 2000);
}

}  // namespace tokenizer_test
}  // namespace witan
