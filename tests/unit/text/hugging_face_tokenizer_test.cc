// tokenizer.json, part by part, on tokenizers of a few tokens. tests/tokenizers compares the same parts with Hugging
// Face's own library where the npm registry is at hand.
#include "text/hugging_face_tokenizer.h"

#include <gtest/gtest.h>

#include "base/file.h"
#include "base/random.h"
#include "support/error_message.h"
#include "support/mutate.h"
#include "support/temporary_folder.h"
#include "support/tiny_tokenizer.h"
#include "text/json_node.h"
#include "text/normalizer.h"
#include "text/pre_tokenizer.h"
#include "text/token_decoder.h"
#include "text/utf8.h"

namespace witan {
namespace hugging_face_tokenizer_test {

using nlohmann::json;
using test::error_message;
using test::tokenizer_of;
using test::word_document;
using Ids = std::vector<std::int32_t>;

std::string normalized_by(const json& description, std::string text) {
  read_normalizer(JsonNode(description, "test"))->apply(text);
  return text;
}

// The pieces of a text, joined by '|'.
std::string cut_by(const json& description, const std::string& text) {
  struct Collector : PieceSink {
    std::string all;
    void take(const Piece& piece) override { all += (all.empty() ? "" : "|") + std::string(piece.text); }
  } collector;
  PreTokenizers read = read_pre_tokenizer(JsonNode(description, "test"));
  if (read.ends_in_byte_characters) read.steps.push_back(byte_characters_step());
  std::vector<std::unique_ptr<PieceSink>> chain;
  PieceSink* first = &collector;
  for (auto step = read.steps.rbegin(); step != read.steps.rend(); ++step) {
    chain.push_back((*step)->splitter(*first));
    first = chain.back().get();
  }
  first->take({text, true});
  return collector.all;
}

std::string decoded_by(const json& description, const std::vector<std::string>& tokens) {
  const auto steps = read_decoder(JsonNode(description, "test"));
  DecoderChain chain(steps);
  for (const std::string& token : tokens) chain.push(token);
  chain.finish();
  return chain.take();
}

json regex(const char* pattern) { return {{"Regex", pattern}}; }
json plain(const char* text) { return {{"String", text}}; }

TEST(NormalizerTest, EveryTypeDoesItsPart) {
  EXPECT_EQ(normalized_by({{"type", "NFC"}}, "e\u0301 \u212b"), "é Å");
  EXPECT_EQ(normalized_by({{"type", "NFD"}}, "é"), "e\u0301");
  EXPECT_EQ(normalized_by({{"type", "NFKC"}}, "ﬁ１"), "fi1");
  EXPECT_EQ(normalized_by({{"type", "NFKD"}}, "ﬁé"), "fie\u0301");
  EXPECT_EQ(normalized_by({{"type", "Lowercase"}}, "ÀΣİ"), "àσi\u0307");
  EXPECT_EQ(normalized_by({{"type", "StripAccents"}}, "e\u0301a"), "ea");
  EXPECT_EQ(normalized_by({{"type", "Nmt"}}, "a\u200bb\x01\tc"), "a b c");
  EXPECT_EQ(normalized_by({{"type", "ByteLevel"}}, " é\n"), "ĠÃ©Ċ");
  EXPECT_EQ(normalized_by({{"type", "Prepend"}, {"prepend", "▁"}}, "a"), "▁a");
  EXPECT_EQ(normalized_by({{"type", "Prepend"}, {"prepend", "▁"}}, ""), "");
  EXPECT_EQ(normalized_by({{"type", "Strip"}, {"strip_left", true}, {"strip_right", false}}, "\u3000 a "), "a ");
  EXPECT_EQ(normalized_by({{"type", "Strip"}, {"strip_left", false}, {"strip_right", true}}, " a \u2003"), " a");
  EXPECT_EQ(normalized_by({{"type", "Replace"}, {"pattern", plain("ab")}, {"content", "-"}}, "abaab"), "-a-");
  EXPECT_EQ(normalized_by({{"type", "Replace"}, {"pattern", regex(" {2,}")}, {"content", "_"}}, "a  b c"), "a_b c");
  const json bert = {{"type", "BertNormalizer"},
                     {"clean_text", true},
                     {"handle_chinese_chars", true},
                     {"strip_accents", nullptr},
                     {"lowercase", true}};
  EXPECT_EQ(normalized_by(bert, "É\u200b\t日\x01"), "e  日 ");
  EXPECT_EQ(
      normalized_by({{"type", "Sequence"}, {"normalizers", {{{"type", "NFD"}}, {{"type", "StripAccents"}}}}}, "é"),
      "e");
}

TEST(NormalizerTest, CharacterMapsAreReadFromTheirTrie) {
  // The trie of one entry, "a" -> "xy": unit 0 leads to 'a' at 0 ^ 2 ^ 'a', whose leaf points at text 0.
  std::vector<std::uint32_t> units(128, 0);
  units[0] = 2U << 10;
  units[2 ^ 'a'] = (4U << 10) | (1U << 8) | 'a';
  units[2 ^ 'a' ^ 4] = 0x80000000U;
  std::string bytes(4, '\0');
  const auto size = static_cast<std::uint32_t>(units.size() * 4);
  std::memcpy(bytes.data(), &size, 4);
  bytes.append(reinterpret_cast<const char*>(units.data()), size);
  bytes += std::string("xy\0", 3);
  const std::string digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string base64;
  while (bytes.size() % 3 != 0) bytes += '\0';
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const std::uint32_t bits = (static_cast<unsigned char>(bytes[i]) << 16U) |
                               (static_cast<unsigned char>(bytes[i + 1]) << 8U) |
                               static_cast<unsigned char>(bytes[i + 2]);
    for (const int shift : {18, 12, 6, 0}) base64 += digits[(bits >> shift) & 63];
  }
  EXPECT_EQ(normalized_by({{"type", "Precompiled"}, {"precompiled_charsmap", base64}}, "banana é"), "bxynxynxy é");
  for (const char* broken : {"", "AAAA", "////", "A", "?AAA"}) {
    EXPECT_TRUE(error_message([&] {
                  read_normalizer(JsonNode(json{{"type", "Precompiled"}, {"precompiled_charsmap", broken}}, "test"));
                }).starts_with("test: precompiled_charsmap: "))
        << broken;
  }
}

TEST(NormalizerTest, TextDoesNotGrowWithoutEnd) {
  json doublings = json::array();
  for (int i = 0; i < 100; ++i) doublings.push_back({{"type", "Replace"}, {"pattern", plain("a")}, {"content", "aa"}});
  EXPECT_TRUE(error_message([&] {
                normalized_by({{"type", "Sequence"}, {"normalizers", doublings}}, "a");
              }).find("grows beyond") != std::string::npos);
}

TEST(PreTokenizerTest, EveryBehaviorOfMatches) {
  const auto split = [](const char* behavior, bool invert = false) {
    return cut_by({{"type", "Split"}, {"pattern", plain("-")}, {"behavior", behavior}, {"invert", invert}},
                  "the-final--countdown");
  };
  EXPECT_EQ(split("Removed"), "the|final|countdown");
  EXPECT_EQ(split("Isolated"), "the|-|final|-|-|countdown");
  EXPECT_EQ(split("MergedWithPrevious"), "the-|final-|-|countdown");
  EXPECT_EQ(split("MergedWithNext"), "the|-final|-|-countdown");
  EXPECT_EQ(split("Contiguous"), "the|-|final|--|countdown");
  EXPECT_EQ(split("Removed", true), "-|-|-");
}

TEST(PreTokenizerTest, EveryTypeCuts) {
  const auto byte_level = [](bool space, bool words) {
    return json{{"type", "ByteLevel"}, {"add_prefix_space", space}, {"use_regex", words}};
  };
  EXPECT_EQ(cut_by(byte_level(false, true), "Hello there\u00a0 don't 12é!\n"), "Hello|Ġthere|Âł|Ġdon|'t|Ġ12|Ã©|!|Ċ");
  EXPECT_EQ(cut_by(byte_level(true, false), "Hi you"), "ĠHiĠyou");
  const auto metaspace = [](const char* scheme, bool split) {
    return json{{"type", "Metaspace"}, {"replacement", "▁"}, {"prepend_scheme", scheme}, {"split", split}};
  };
  EXPECT_EQ(cut_by(metaspace("always", true), "Hey  you"), "▁Hey|▁|▁you");
  EXPECT_EQ(cut_by(metaspace("never", false), "Hey you"), "Hey▁you");
  EXPECT_EQ(cut_by(metaspace("always", true), " Hey"), "▁Hey");
  const json words_then = {{"type", "Sequence"},
                           {"pretokenizers", {{{"type", "WhitespaceSplit"}}, metaspace("first", true)}}};
  EXPECT_EQ(cut_by(words_then, "a b"), "▁a|b") << "only what begins the text";
  EXPECT_EQ(cut_by(words_then, " a b"), "a|b");
  EXPECT_EQ(cut_by({{"type", "Whitespace"}}, "Hey, don't_1 é!?"), "Hey|,|don|'|t_1|é|!?");
  EXPECT_EQ(cut_by({{"type", "WhitespaceSplit"}}, " a,\u3000b\n"), "a,|b");
  EXPECT_EQ(cut_by({{"type", "BertPreTokenizer"}}, "a,b。c $d"), "a|,|b|。|c|$|d");
  EXPECT_EQ(cut_by({{"type", "Digits"}, {"individual_digits", true}}, "a12½b"), "a|1|2|½|b");
  EXPECT_EQ(cut_by({{"type", "Digits"}, {"individual_digits", false}}, "a12½b"), "a|12½|b");
  EXPECT_EQ(cut_by({{"type", "Punctuation"}}, "a,.b"), "a|,|.|b");
  EXPECT_EQ(cut_by({{"type", "CharDelimiterSplit"}, {"delimiter", "x"}}, "axbxx"), "a|b");
  EXPECT_EQ(cut_by({{"type", "FixedLength"}, {"length", 2}}, "aébcd"), "aé|bc|d");
}

TEST(TokenDecoderTest, EveryTypeJoins) {
  EXPECT_EQ(decoded_by({{"type", "ByteLevel"}}, {"Hello", "ĠÃ", "©", "Ã", "<｜x｜>"}), "Hello é\ufffd<｜x｜>");
  EXPECT_EQ(decoded_by({{"type", "Metaspace"}, {"replacement", "▁"}, {"prepend_scheme", "always"}}, {"▁Hey", "▁you"}),
            "Hey you");
  EXPECT_EQ(decoded_by({{"type", "Metaspace"}, {"replacement", "▁"}, {"prepend_scheme", "never"}}, {"▁Hey"}), " Hey");
  EXPECT_EQ(
      decoded_by({{"type", "WordPiece"}, {"prefix", "##"}, {"cleanup", true}}, {"##a", "b", "##c", "!", "do", "n't"}),
      "##a bc! don't");
  EXPECT_EQ(decoded_by({{"type", "BPEDecoder"}, {"suffix", "</w>"}}, {"a", "b</w>", "c</w>"}), "ab c");
  EXPECT_EQ(decoded_by({{"type", "CTC"}}, {"<pad>", "a", "a", "|", "<pad>", "a"}), "a a");
  EXPECT_EQ(decoded_by({{"type", "ByteFallback"}}, {"<0xE7>", "<0x8c>", "<0xAB>", "x", "<0xE7>", "<0x8C>"}),
            "猫x\ufffd\ufffd");
  const json llama = {{"type", "Sequence"},
                      {"decoders",
                       {{{"type", "Replace"}, {"pattern", plain("▁")}, {"content", " "}},
                        {{"type", "ByteFallback"}},
                        {{"type", "Fuse"}},
                        {{"type", "Strip"}, {"content", " "}, {"start", 1}, {"stop", 0}}}}};
  EXPECT_EQ(decoded_by(llama, {"▁▁Hey", "▁you", "<0x0A>"}), " Hey you\n");
  const json ends = {
      {"type", "Sequence"},
      {"decoders", {{{"type", "Fuse"}}, {{"type", "Strip"}, {"content", "x"}, {"start", 0}, {"stop", 2}}}}};
  EXPECT_EQ(decoded_by(ends, {"axx", "bx", "xx"}), "axxbx");
  const json across = {
      {"type", "Sequence"},
      {"decoders", {{{"type", "Fuse"}}, {{"type", "Replace"}, {"pattern", plain("aab")}, {"content", "-"}}}}};
  EXPECT_EQ(decoded_by(across, {"a", "a", "a", "b", "aa"}), "a-aa");
}

// Bytes of a text in pieces, with and without what follows, for every kind of decoder.
TEST(TokenDecoderTest, StreamsNeverSplitACharacterAndAddUp) {
  json byte_vocabulary = {{"<unk>", 0}};
  for (int byte = 0; byte < 256; ++byte) byte_vocabulary[fmt::format("<0x{:02X}>", byte)] = byte_vocabulary.size();
  const json fallback = {
      {"model", {{"type", "BPE"}, {"byte_fallback", true}, {"vocab", byte_vocabulary}, {"merges", json::array()}}},
      {"decoder", {{"type", "Sequence"}, {"decoders", {{{"type", "ByteFallback"}}, {{"type", "Fuse"}}}}}}};
  json characters = json::object();
  for (int byte = 0; byte < 256; ++byte)
    characters[normalized_by({{"type", "ByteLevel"}}, std::string(1, static_cast<char>(byte)))] = byte;
  const json bytes = {{"model", {{"type", "BPE"}, {"vocab", characters}, {"merges", json::array()}}},
                      {"pre_tokenizer", {{"type", "ByteLevel"}, {"add_prefix_space", false}, {"use_regex", true}}},
                      {"decoder", {{"type", "ByteLevel"}}}};
  Random random(2);
  for (const json& document : {fallback, bytes}) {
    const auto tokenizer = tokenizer_of(document);
    const std::string text = "é 猫 👩‍👩‍👧‍👦";
    EXPECT_EQ(tokenizer->decode(tokenizer->encode(text), SpecialTokens::kKeep), text);
    for (int round = 0; round < 300; ++round) {
      Ids ids = tokenizer->encode(text);
      for (std::uint64_t i = 0; i < random.below(3); ++i) {  // damage
        ids[random.below(ids.size())] =
            static_cast<std::int32_t>(random.below(static_cast<std::uint64_t>(tokenizer->vocab_size())));
      }
      const auto stream = tokenizer->stream(SpecialTokens::kKeep);
      std::string all;
      for (const std::int32_t id : ids) {
        const std::string piece = stream->push(id);
        EXPECT_EQ(find_invalid_utf8(piece), std::string::npos);
        all += piece;
      }
      all += stream->finish();
      EXPECT_EQ(all, tokenizer->decode(ids, SpecialTokens::kKeep));
    }
  }
}

json bpe(const json& options = json::object()) {
  json model = {{"type", "BPE"}, {"unk_token", "<unk>"}, {"vocab", json::object()}, {"merges", {"a b", "ab c", "b c"}}};
  for (const char* token : {"<unk>", "a", "b", "c", "ab", "abc", "bc", "cab", "<0xC3>", "<0xA9>"}) {
    model["vocab"][token] = model["vocab"].size();
  }
  model.update(options);
  return {{"model", model}};
}

TEST(BpeModelTest, OptionsOfTheModel) {
  EXPECT_EQ(tokenizer_of(bpe())->encode("abcbc"), (Ids{5, 6}));
  EXPECT_EQ(tokenizer_of(bpe({{"merges", json::parse(R"([["b", "c"], ["a", "b"]])")}}))->encode("abc"), (Ids{1, 6}))
      << "pairs";
  EXPECT_EQ(tokenizer_of(bpe())->encode("cab"), (Ids{3, 4}));
  EXPECT_EQ(tokenizer_of(bpe({{"ignore_merges", true}}))->encode("cab"), (Ids{7}));
  EXPECT_EQ(tokenizer_of(bpe())->encode("xya"), (Ids{0, 0, 1}));
  EXPECT_EQ(tokenizer_of(bpe({{"fuse_unk", true}}))->encode("xyaz"), (Ids{0, 1, 0}));
  EXPECT_EQ(tokenizer_of(bpe({{"unk_token", nullptr}}))->encode("xya"), (Ids{1}));
  std::string apart;
  for (int i = 0; i < 200; ++i) apart += "axb";
  EXPECT_EQ(tokenizer_of(bpe({{"unk_token", nullptr}}))->encode(apart), Ids(200, 4))
      << "what is left out parts nothing";
  EXPECT_EQ(tokenizer_of(bpe({{"byte_fallback", true}}))->encode("éx"), (Ids{8, 9, 0}));
  EXPECT_EQ(tokenizer_of(bpe({{"byte_fallback", true}}))->encode("xé"), (Ids{8, 9, 0})) << "the unknown waits";
  const json word = {{"<unk>", 0}, {"a", 1}, {"##b", 2}, {"##b</w>", 3}, {"a##b", 4}, {"ab</w>", 5}};
  const json decorated = bpe({{"continuing_subword_prefix", "##"},
                              {"end_of_word_suffix", "</w>"},
                              {"vocab", word},
                              {"merges", {"a ##b</w>"}}});
  EXPECT_EQ(tokenizer_of(decorated)->encode("ab"), (Ids{5}));
  EXPECT_EQ(tokenizer_of(decorated)->encode("abb"), (Ids{1, 2, 3}));
}

TEST(BpeModelTest, BytesGiveWhatTheirCharactersGive) {
  // The same merges on raw bytes and, with a digit splitter behind, on byte-level characters.
  json vocabulary = json::object();
  for (int byte = 0; byte < 256; ++byte) {
    vocabulary[normalized_by({{"type", "ByteLevel"}}, std::string(1, static_cast<char>(byte)))] = byte;
  }
  for (const char* token : {"Ġa", "Ã©", "ab", "Ġab", "Hello"}) vocabulary[token] = vocabulary.size();
  const json byte_level = {{"type", "ByteLevel"}, {"add_prefix_space", false}, {"use_regex", true}};
  const json fast = {
      {"model",
       {{"type", "BPE"}, {"vocab", vocabulary}, {"merges", {"Ã ©", "Ġ a", "a b", "Ġa b"}}, {"ignore_merges", true}}},
      {"pre_tokenizer", byte_level}};
  json slow = fast;
  slow["pre_tokenizer"] = {
      {"type", "Sequence"},
      {"pretokenizers", {byte_level, {{"type", "Split"}, {"pattern", plain("\n")}, {"behavior", "Isolated"}}}}};
  const auto on_bytes = tokenizer_of(fast);
  const auto on_characters = tokenizer_of(slow);
  EXPECT_EQ(on_bytes->encode("é Hello ab"), (Ids{257, 32, 72, 101, 108, 108, 111, 259}));
  EXPECT_EQ(on_bytes->encode("Hello"), (Ids{260}));
  Random random(8);
  for (int round = 0; round < 300; ++round) {
    std::string text;
    for (std::uint64_t i = 0; i < random.below(12); ++i)
      text += std::vector<std::string>{"a", "b", " ", "é", "Hello", "\n", "猫", "1"}[random.below(8)];
    EXPECT_EQ(on_bytes->encode(text), on_characters->encode(text)) << text;
  }
}

TEST(UnigramModelTest, TakesTheLikeliestSplit) {
  json model = {{"type", "Unigram"}, {"unk_id", 0}};
  model["vocab"] = json::parse(
      R"([["<unk>", 0], ["a", 0], ["b", 0], ["c", 0], ["d", 0], ["cd", 1], ["ab", 2], ["abc", 5], ["abcd", 10]])");
  EXPECT_EQ(tokenizer_of({{"model", model}})->encode("abcdacdxx"), (Ids{8, 1, 5, 0}))
      << "unknown characters are one token";
  model["byte_fallback"] = true;
  model["vocab"].push_back(json::array({"<0x78>", -5.0}));
  EXPECT_EQ(tokenizer_of({{"model", model}})->encode("axx"), (Ids{1, 9, 9}));
  model.erase("unk_id");
  const auto without = tokenizer_of({{"model", model}});
  EXPECT_TRUE(error_message([&] { without->encode("x"); }).find("no unk_id") != std::string::npos);
}

TEST(WordPieceModelTest, TakesTheLongestFirst) {
  const json vocabulary = {{"[UNK]", 0}, {"un", 1}, {"##aff", 2}, {"##able", 3}, {"##a", 4}, {"é", 5}};
  const auto tokenizer =
      tokenizer_of({{"model", {{"type", "WordPiece"}, {"vocab", vocabulary}, {"max_input_chars_per_word", 9}}},
                    {"pre_tokenizer", {{"type", "Whitespace"}}}});
  EXPECT_EQ(tokenizer->encode("unaffable é éa unz unaffableé"), (Ids{1, 2, 3, 5, 5, 4, 0, 0}));
}

json added(const char* text, const json& options = json::object()) {
  json token = {{"id", 0}, {"content", text}, {"special", true}, {"normalized", false}};
  token.update(options);
  return token;
}

TEST(AddedTokensTest, FoundInTheTextByTheirRules) {
  const json document =
      word_document({"a", "b", "ab", "▁a", "▁b"},
                    {{"added_tokens",
                      {added("<s>"), added("<s>x"), added("<l>", {{"lstrip", true}}), added("<r>", {{"rstrip", true}}),
                       added("w", {{"single_word", true}}), added("N", {{"normalized", true}, {"special", false}})}},
                     {"pre_tokenizer", {{"type", "WhitespaceSplit"}}},
                     {"normalizer", {{"type", "Lowercase"}}}});
  const auto tokenizer = tokenizer_of(document);
  EXPECT_EQ(tokenizer->encode("a<s>b"), (Ids{1, 6, 2}));
  EXPECT_EQ(tokenizer->encode("a<s>xb<s>"), (Ids{1, 7, 2, 6})) << "the longest";
  EXPECT_EQ(tokenizer->encode("a  <l> b"), (Ids{1, 8, 2}));
  EXPECT_EQ(tokenizer->encode("a<r>  b"), (Ids{1, 9, 2}));
  EXPECT_EQ(tokenizer->encode("w aw w! éw"), (Ids{10, 0, 10, 0, 0}));
  EXPECT_EQ(tokenizer->encode("anb N"), (Ids{1, 11, 2, 11})) << "matched as the normaliser writes it";
  EXPECT_EQ(tokenizer->vocab_size(), 12);
  EXPECT_EQ(tokenizer->token_bytes(6), "");
  EXPECT_EQ(tokenizer->decode({1, 6, 2}, SpecialTokens::kSkip), "a b");
  EXPECT_EQ(tokenizer->decode({1, 6, 2}, SpecialTokens::kKeep), "a <s> b");
}

TEST(AddedTokensTest, WhiteSpaceThatATokenTookMakesNoOther) {
  const json line = added("\n", {{"lstrip", true}, {"rstrip", true}});
  const auto tokenizer = tokenizer_of(word_document({"a", "b"}, {{"added_tokens", {line}}}));
  EXPECT_EQ(tokenizer->encode("a\n \n\nb\n"), (Ids{1, 3, 2, 3}));
}

TEST(AddedTokensTest, WhatIsPrependedComesAgainAfterEach) {
  const json document = word_document(
      {"▁a", "▁b"}, {{"added_tokens", {added("<s>")}}, {"normalizer", {{"type", "Prepend"}, {"prepend", "▁"}}}});
  EXPECT_EQ(tokenizer_of(document)->encode("a<s>b"), (Ids{1, 3, 2}));
}

TEST(HuggingFaceTokenizerTest, PutsSpecialTokensAround) {
  const json template_processing = {{"type", "TemplateProcessing"},
                                    {"single", {{{"SpecialToken", {{"id", "B"}}}}, {{"Sequence", {{"id", "A"}}}}}},
                                    {"special_tokens", {{"B", {{"ids", {7, 8}}}}}}};
  EXPECT_EQ(tokenizer_of(word_document({"a"}, {{"post_processor", template_processing}}))->encode_with_special("a"),
            (Ids{7, 8, 1}));
  const json bert = {{"type", "BertProcessing"}, {"sep", {"[SEP]", 3}}, {"cls", {"[CLS]", 2}}};
  EXPECT_EQ(tokenizer_of(word_document({"a"}, {{"post_processor", bert}}))->encode_with_special("a"), (Ids{2, 1, 3}));
  // Without a processor that adds tokens the configuration decides.
  SpecialTokenNames names;
  names.texts = {{"bos_token", "<s>"}, {"eos_token", "</s>"}};
  names.adds_bos = names.adds_eos = true;
  const json document = word_document({"a"}, {{"added_tokens", {added("<s>"), added("</s>")}}});
  EXPECT_EQ(tokenizer_of(document, names)->encode_with_special("a"), (Ids{2, 1, 3}));
  EXPECT_EQ(tokenizer_of(document, names)->bos_id(), 2);
  names.adds_bos = false;
  EXPECT_EQ(tokenizer_of(document, names)->encode_with_special("a"), (Ids{1, 3}));
  EXPECT_EQ(tokenizer_of(document)->encode_with_special("a"), (Ids{1}));
}

TEST(HuggingFaceTokenizerTest, FoldersAreReadWithTheirConfigurationAndSaved) {
  const test::TemporaryFolder folder;
  const json document = word_document({"a"}, {{"added_tokens", {added("<s>"), added("</s>")}}});
  write_file(folder / "in/tokenizer.json", document.dump());
  write_file(folder / "in/tokenizer_config.json",
             R"({"add_bos_token": true, "bos_token": {"content": "<s>"}, "eos_token": null})");
  write_file(folder / "in/special_tokens_map.json", R"({"eos_token": "</s>"})");
  const auto tokenizer = load_tokenizer(folder / "in");
  EXPECT_EQ(tokenizer->encode_with_special("a"), (Ids{2, 1}));
  EXPECT_EQ(tokenizer->eos_id(), 3);
  EXPECT_EQ(load_tokenizer_json(folder / "in/tokenizer.json")->encode_with_special("a"), (Ids{1}));
  tokenizer->save(folder / "out");
  EXPECT_EQ(load_tokenizer(folder / "out")->encode_with_special("a"), (Ids{2, 1}));
}

// As the classes of Transformers 4 do, some of which build their post-processor anew.
TEST(HuggingFaceTokenizerTest, TheClassDecidesWhatStandsAroundAText) {
  const json begins = {{"type", "TemplateProcessing"},
                       {"single", {{{"SpecialToken", {{"id", "<s>"}}}}, {{"Sequence", {{"id", "A"}}}}}},
                       {"special_tokens", {{"<s>", {{"ids", {2}}}}}}};
  const auto ids = [](json parts, const std::string& config, const std::string& map = "{}") {
    parts["added_tokens"] = {added("<s>"), added("</s>")};
    const test::TemporaryFolder folder;
    write_file(folder / "tokenizer.json", word_document({"a"}, parts).dump());
    write_file(folder / "tokenizer_config.json", config);
    write_file(folder / "special_tokens_map.json", map);
    return load_tokenizer(folder.path())->encode_with_special("a");
  };
  const json with_template = {{"post_processor", begins}};
  const json without = json::object();
  EXPECT_EQ(ids(with_template, R"({"tokenizer_class": "LlamaTokenizer", "add_bos_token": false})"), (Ids{1}));
  EXPECT_EQ(ids(with_template, R"({"tokenizer_class": "LlamaTokenizerFast", "add_eos_token": true})"), (Ids{2, 1, 3}));
  EXPECT_EQ(ids(without, R"({"tokenizer_class": "LlamaTokenizerFast"})"), (Ids{2, 1})) << "its constructor says so";
  EXPECT_EQ(ids(with_template, R"({"tokenizer_class": "GPTNeoXTokenizer", "bos_token": "<s>"})"), (Ids{1}));
  EXPECT_EQ(ids(without, R"({"tokenizer_class": "GPTNeoXTokenizer", "bos_token": "<s>", "add_bos_token": true})"),
            (Ids{2, 1}));
  for (const char* name : {"PreTrainedTokenizerFast", "GPT2Tokenizer", "Qwen2Tokenizer"}) {
    const auto config = [&](const char* flags) {
      return fmt::format(R"({{"tokenizer_class": "{}", "bos_token": "<s>", "eos_token": "</s>", {}}})", name, flags);
    };
    EXPECT_EQ(ids(with_template, config(R"("add_bos_token": false, "add_eos_token": true)")), (Ids{2, 1})) << name;
    EXPECT_EQ(ids(without, config(R"("add_bos_token": true)")), (Ids{1})) << name;
  }
  // The map goes before the config, unless that tells its tokens itself.
  EXPECT_EQ(ids(without, R"({"tokenizer_class": "LlamaTokenizer"})", R"({"bos_token": "</s>"})"), (Ids{3, 1}));
  EXPECT_EQ(ids(without, R"({"tokenizer_class": "LlamaTokenizer", "bos_token": "<s>", "added_tokens_decoder": {}})",
                R"({"bos_token": "</s>"})"),
            (Ids{2, 1}));
}

TEST(HuggingFaceTokenizerTest, BytesThatAreNoTextAreReplaced) {
  EXPECT_EQ(tokenizer_of(word_document({"\ufffd", "a\ufffd"}))->encode("a\xFF"), (Ids{2}));
}

TEST(HuggingFaceTokenizerTest, SaysWhatIsUnknownOrBroken) {
  const auto message = [](const json& document) { return error_message([&] { tokenizer_of(document); }); };
  EXPECT_EQ(message({{"model", {{"type", "New"}, {"vocab", json::object()}}}}),
            "tokenizer.json: model: the type New is unknown (known: BPE, Unigram, WordLevel, WordPiece)");
  for (const char* part : {"normalizer", "pre_tokenizer", "post_processor", "decoder"}) {
    const std::string text = message(word_document({}, {{part, {{"type", "New"}}}}));
    EXPECT_TRUE(text.starts_with(fmt::format("tokenizer.json: {}: the type New is unknown (known: ", part))) << text;
  }
  EXPECT_EQ(
      message(word_document({}, {{"pre_tokenizer", {{"type", "Sequence"}, {"pretokenizers", {{{"type", "Split"}}}}}}})),
      "tokenizer.json: pre_tokenizer.pretokenizers[0]: \"pattern\" is missing");
  EXPECT_EQ(message(bpe({{"dropout", 0.1}})),
            "tokenizer.json: model.dropout: dropout makes encoding random, which Witan does not support");
  EXPECT_EQ(message(bpe({{"merges", {"a z"}}})),
            "tokenizer.json: model.merges[0]: the token \"z\" is not in the vocabulary");
  EXPECT_EQ(message(bpe({{"merges", {"a b", "ab"}}})),
            "tokenizer.json: model.merges[1]: expected \"left right\" or [\"left\", \"right\"]");
  EXPECT_EQ(message({{"model", {{"vocab", {{"a", 2000000000}}}}}}),
            "tokenizer.json: model.vocab: the id 2000000000 of \"a\" is too large for 1 tokens");
  EXPECT_EQ(message({{"model", {{"vocab", {{"a", -1}}}}}}),
            "tokenizer.json: model.vocab: the id -1 of \"a\" is out of range");
  EXPECT_EQ(message({{"version", "2.0"}, {"model", {{"vocab", json::object()}}}}),
            "tokenizer.json: version: version \"2.0\" is unknown (known: 1.0)");
  json deep = {{"type", "NFC"}};
  for (int i = 0; i < 30; ++i) deep = {{"type", "Sequence"}, {"normalizers", {deep}}};
  EXPECT_TRUE(message(word_document({}, {{"normalizer", deep}})).find("nest too deeply") != std::string::npos);
  const auto read = [](const std::string& text) { return error_message([&] { TokenizerDocument(text, "t"); }); };
  EXPECT_TRUE(read("{\"model\": ").starts_with("t: invalid JSON at byte 11"));
  EXPECT_EQ(read(R"({"model": {"vocab": {"a": 1, "a": 2}}})"), "t: invalid JSON: key \"a\" stands twice in one object");
  EXPECT_EQ(read(R"({"a": 1, "a": 2})"), "t: invalid JSON: key \"a\" stands twice in one object");
  EXPECT_EQ(read(std::string(200, '[')), "t: invalid JSON: values nest more than 100 deep");
}

}  // namespace hugging_face_tokenizer_test
}  // namespace witan
