// Generator: the tokens a plain loop over the model would choose, whatever the chunks; why it stops; whole characters.
#include "inference/generator.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "support/error_message.h"
#include "support/tiny_models.h"
#include "text/utf8.h"

namespace witan {
namespace generator_test {

// Bytes, with another end token.
class BytesEndingAt : public Tokenizer {
 public:
  explicit BytesEndingAt(std::int32_t end) : end_(end) {}
  std::int64_t vocab_size() const override { return bytes_->vocab_size(); }
  std::vector<std::int32_t> encode(std::string_view text) const override { return bytes_->encode(text); }
  std::string token_bytes(std::int32_t id) const override { return bytes_->token_bytes(id); }
  std::int32_t bos_id() const override { return -1; }
  std::int32_t eos_id() const override { return end_; }
  void save(const std::filesystem::path& folder) const override { bytes_->save(folder); }

 private:
  std::unique_ptr<Tokenizer> bytes_ = make_byte_tokenizer();
  std::int32_t end_;
};

// A decoder that strips the beginning of a text, as those of SentencePiece strip a space.
class WithoutTheFirst : public BytesEndingAt {
 public:
  WithoutTheFirst() : BytesEndingAt(-1) {}
  std::unique_ptr<TextStream> stream(SpecialTokens special) const override {
    class Stream : public TextStream {
     public:
      explicit Stream(std::unique_ptr<TextStream> bytes) : bytes_(std::move(bytes)) {}
      std::string push(std::int32_t id) override {
        if (!std::exchange(first_, false)) return bytes_->push(id);
        return "";
      }
      std::string finish() override { return bytes_->finish(); }

     private:
      std::unique_ptr<TextStream> bytes_;
      bool first_ = true;
    };
    return std::make_unique<Stream>(BytesEndingAt::stream(special));
  }
};

class GeneratorTest : public testing::Test {
 protected:
  static DecoderConfig config() {
    DecoderConfig config = test::tiny_config();
    config.vocab_size = 260;
    config.initializer_range = 1.0;
    config.decoder_sparse_step = 2;
    config.eos_token_ids = {};
    return config;
  }
  static SamplingOptions greedy() {
    SamplingOptions options;
    options.temperature = 0.0;
    return options;
  }
  static GenerationOptions tokens(std::int64_t count) {
    GenerationOptions options;
    options.max_tokens = count;
    return options;
  }

  // Without a cache, one whole pass per token.
  std::vector<std::int32_t> plain_loop(std::vector<std::int32_t> ids, int count) {
    std::vector<std::int32_t> result;
    for (int i = 0; i < count; ++i) {
      Tape off;
      const Tensor all = model_.logits(model_.forward(off, ids, 1, static_cast<std::int64_t>(ids.size()), {}).hidden);
      const auto last = all.values().last(260).first(258);
      ids.push_back(static_cast<std::int32_t>(std::max_element(last.begin(), last.end()) - last.begin()));
      result.push_back(ids.back());
    }
    return result;
  }

  Decoder model_{config(), 9};
  std::unique_ptr<Tokenizer> bytes_ = make_byte_tokenizer();
};

TEST_F(GeneratorTest, GreedyIsWhatAPlainLoopChooses) {
  const BytesEndingAt endless(-1);
  Generator generator(model_, endless);
  const std::vector<std::int32_t> expected = plain_loop(endless.encode("a prompt"), 20);
  for (const std::int64_t chunk : {1, 3, 256}) {
    GenerationOptions options = tokens(20);
    options.prefill_chunk = chunk;
    const Generation result = generator.generate("a prompt", greedy(), options);
    EXPECT_EQ(result.ids, expected) << "chunks of " << chunk;
    EXPECT_EQ(result.prompt_tokens, 8);
    EXPECT_EQ(result.stop, StopReason::kMaxTokens);
  }
}

TEST_F(GeneratorTest, StartTokenComesBeforeThePrompt) {
  Generator generator(model_, *bytes_);
  EXPECT_EQ(generator.generate("ab", greedy(), tokens(3)).ids, plain_loop({256, 'a', 'b'}, 3));
  EXPECT_EQ(generator.generate("", greedy(), tokens(3)).ids, plain_loop({256}, 3));
}

TEST_F(GeneratorTest, SeedDecides) {
  const BytesEndingAt endless(-1);
  Generator generator(model_, endless);
  SamplingOptions sampling;
  sampling.temperature = 2.0;
  const auto draw = [&] { return generator.generate("x", sampling, tokens(20)).ids; };
  const auto first = draw();
  EXPECT_EQ(draw(), first);
  sampling.seed = 2;
  EXPECT_NE(draw(), first);
}

TEST_F(GeneratorTest, StopsAtTheEndTokenAndDoesNotSayIt) {
  const std::vector<std::int32_t> free = plain_loop({'q'}, 10);
  const BytesEndingAt ending(free[4]);
  const auto first = std::find(free.begin(), free.end(), free[4]) - free.begin();
  const Generation result = Generator(model_, ending).generate("q", greedy(), tokens(10));
  EXPECT_EQ(result.stop, StopReason::kEndOfText);
  EXPECT_EQ(result.ids, std::vector<std::int32_t>(free.begin(), free.begin() + first));
}

TEST_F(GeneratorTest, StopStringsEndTheTextBehindThem) {
  const BytesEndingAt endless(-1);
  Generator generator(model_, endless);
  const Generation free = generator.generate("q", greedy(), tokens(12));
  ASSERT_EQ(free.ids.size(), 12U);
  // One that is complete with the fifth token; one that begins in the prompt.
  for (const auto& [first, count] : {std::pair<std::size_t, std::size_t>{2, 5}, {0, 2}}) {
    std::string stop = first == 0 ? "q" : "";
    for (std::size_t i = first; i < count; ++i) stop += endless.token_bytes(free.ids[i]);
    if (std::ranges::any_of(stop, [](char c) { return static_cast<unsigned char>(c) >= 0x80; })) continue;
    GenerationOptions options = tokens(12);
    options.stop_strings = {"never said by anybody", stop};
    const Generation result = generator.generate("q", greedy(), options);
    EXPECT_EQ(result.stop, StopReason::kStopString);
    EXPECT_EQ(result.ids,
              std::vector<std::int32_t>(free.ids.begin(), free.ids.begin() + static_cast<std::ptrdiff_t>(count)));
    EXPECT_TRUE(("q" + result.text).ends_with(stop));
  }
  GenerationOptions options = tokens(12);
  options.stop_strings = {"q"};
  EXPECT_NE(generator.generate("q", greedy(), options).ids.size(), 0U) << "the prompt alone stops nothing";
  options.stop_strings = {""};
  EXPECT_NE(test::error_message([&] { generator.generate("q", greedy(), options); }).find("stop string is empty"),
            std::string::npos);
}

TEST_F(GeneratorTest, AContinuationIsNoBeginningOfAText) {
  const WithoutTheFirst tokenizer;
  Generator generator(model_, tokenizer);
  const Generation continued = generator.generate("q", greedy(), tokens(12));
  EXPECT_EQ(continued.text, replace_invalid_utf8(tokenizer.decode(continued.ids)));
  GenerationOptions options = tokens(12);
  options.add_special_tokens = false;
  const Generation answer = generator.generate("q", greedy(), options);
  EXPECT_EQ(answer.ids, continued.ids);
  EXPECT_EQ(answer.text, replace_invalid_utf8(tokenizer.decode({answer.ids.begin() + 1, answer.ids.end()})));
  options.stop_strings = {"q" + tokenizer.token_bytes(answer.ids[0])};
  if (static_cast<unsigned char>(options.stop_strings[0][1]) >= 0x80) return;
  EXPECT_EQ(generator.generate("q", greedy(), options).ids.size(), 1U) << "also where the answer is a text of its own";
}

TEST_F(GeneratorTest, AMaximalLengthCountsThePrompt) {
  const BytesEndingAt endless(-1);
  Generator generator(model_, endless);
  GenerationOptions options = tokens(2);
  options.max_length = 10;
  EXPECT_EQ(generator.generate("abcd", greedy(), options).ids.size(), 6U);
  EXPECT_NE(test::error_message([&] {
              generator.generate("0123456789", greedy(), options);
            }).find("the prompt has 10 tokens, and max_length=10"),
            std::string::npos);
}

TEST_F(GeneratorTest, StopsAtEveryEndTokenThatTheModelNames) {
  const std::vector<std::int32_t> free = plain_loop({'q'}, 10);
  DecoderConfig several = config();
  several.eos_token_ids = {259, free[4]};
  Decoder model(several, 9);
  const Generation result = Generator(model, BytesEndingAt(-1)).generate("q", greedy(), tokens(10));
  EXPECT_EQ(result.stop, StopReason::kEndOfText);
  const auto first = std::find(free.begin(), free.end(), free[4]) - free.begin();
  EXPECT_EQ(result.ids, std::vector<std::int32_t>(free.begin(), free.begin() + first));
}

TEST_F(GeneratorTest, StopsWhenTheContextIsFull) {
  const BytesEndingAt endless(-1);
  Generator generator(model_, endless);
  const std::string prompt(60, 'p');
  const Generation result = generator.generate(prompt, greedy(), tokens(100));
  EXPECT_EQ(result.stop, StopReason::kContextFull);
  EXPECT_EQ(result.ids.size(), 5U);  // the last is chosen from position 64 and has no place itself
  const std::string message = test::error_message([&] { generator.generate(prompt + "1234", greedy(), tokens(1)); });
  EXPECT_NE(message.find("64"), std::string::npos) << message;
}

TEST_F(GeneratorTest, CallbackSeesEverythingAndMayStop) {
  const BytesEndingAt endless(-1);
  Generator generator(model_, endless);
  SamplingOptions sampling;
  sampling.temperature = 3.0;
  std::string text;
  std::vector<std::int32_t> ids;
  const Generation whole = generator.generate("x", sampling, tokens(40), [&](const GeneratedToken& token) {
    text += token.text;
    ids.push_back(token.id);
    EXPECT_TRUE(token.experts.experts.empty());
    return true;
  });
  EXPECT_EQ(ids, whole.ids);
  EXPECT_EQ(text + whole.tail, whole.text);
  int calls = 0;
  const Generation stopped =
      generator.generate("x", sampling, tokens(40), [&](const GeneratedToken&) { return ++calls < 3; });
  EXPECT_EQ(stopped.stop, StopReason::kCallback);
  EXPECT_EQ(stopped.ids.size(), 3U);
}

TEST_F(GeneratorTest, ReportsTheExpertsOfEachToken) {
  const BytesEndingAt endless(-1);
  Generator generator(model_, endless);
  GenerationOptions options = tokens(12);
  options.observed_layer = 1;
  std::vector<std::vector<std::int32_t>> seen;
  const Generation result = generator.generate("abc", greedy(), options, [&](const GeneratedToken& token) {
    seen.push_back(token.experts.experts);
    return true;
  });
  EXPECT_EQ(result.ids, plain_loop({'a', 'b', 'c'}, 12));
  // All at once: rows 3 to 14 are the generated tokens.
  std::vector<std::int32_t> ids = {'a', 'b', 'c'};
  ids.insert(ids.end(), result.ids.begin(), result.ids.end());
  Tape off;
  std::vector<RowExperts> rows;
  const RoutingObserver observer = [&](std::int64_t layer, const Routing& routing, const Tensor&) {
    EXPECT_EQ(layer, 1);
    rows = experts_by_row(*routing.assignment);
  };
  model_.forward(off, ids, 1, 15, {}, nullptr, {observer});
  ASSERT_EQ(seen.size(), 12U);
  for (std::size_t i = 0; i < seen.size(); ++i) EXPECT_EQ(seen[i], rows[3 + i].experts) << i;
}

TEST_F(GeneratorTest, RefusesWhatCannotWork) {
  const BytesEndingAt endless(-1);
  Generator generator(model_, endless);
  EXPECT_THROW(generator.generate("", greedy(), tokens(1)), Error);
  EXPECT_THROW(generator.generate("a", greedy(), tokens(-1)), Error);
  GenerationOptions options = tokens(1);
  options.observed_layer = 2;
  const std::string message = test::error_message([&] { generator.generate("a", greedy(), options); });
  EXPECT_NE(message.find("layer 2"), std::string::npos) << message;
  EXPECT_NE(message.find("1"), std::string::npos) << message;
  DecoderConfig small = config();
  small.vocab_size = 100;
  Decoder other(small, 1);
  EXPECT_THROW(Generator(other, endless), Error);
}

}  // namespace generator_test
}  // namespace witan
