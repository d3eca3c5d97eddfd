// read_generation_defaults: what a released model asks for, and what the user's word outweighs.
#include "inference/generation_config.h"

#include <gtest/gtest.h>

#include "base/file.h"
#include "support/error_message.h"
#include "support/temporary_folder.h"

namespace witan {
namespace generation_config_test {

SamplingOptions read(const std::string& json, const std::set<std::string>& chosen = {}) {
  const test::TemporaryFolder folder;
  write_file(folder.path() / "generation_config.json", json);
  SamplingOptions sampling;
  read_generation_defaults(folder.path(), chosen, sampling);
  return sampling;
}

TEST(GenerationConfigTest, TakesWhatTheFileSays) {
  const SamplingOptions sampling =
      read(R"({"temperature": 0.6, "top_k": 20, "top_p": 0.9, "min_p": 0.1, "repetition_penalty": 1.05, "x": []})");
  EXPECT_EQ(sampling.temperature, 0.6);
  EXPECT_EQ(sampling.top_k, 20);
  EXPECT_EQ(sampling.top_p, 0.9);
  EXPECT_EQ(sampling.min_p, 0.1);
  EXPECT_EQ(sampling.repetition_penalty, 1.05);
}

TEST(GenerationConfigTest, TheUsersWordCounts) {
  const SamplingOptions sampling = read(R"({"temperature": 0.6, "top_k": 20})", {"temperature"});
  EXPECT_EQ(sampling.temperature, SamplingOptions().temperature);
  EXPECT_EQ(sampling.top_k, 20);
}

TEST(GenerationConfigTest, WithoutSamplingTheMostProbableTokenIsTaken) {
  EXPECT_EQ(read(R"({"do_sample": false, "temperature": 0.6})").temperature, 0.0);
  EXPECT_EQ(read(R"({"do_sample": true, "temperature": 0.6})").temperature, 0.6);
  EXPECT_NE(read(R"({"do_sample": false})", {"temperature"}).temperature, 0.0);
}

TEST(GenerationConfigTest, WhoChoosesHowToDrawDraws) {
  const char* const greedy = R"({"do_sample": false, "temperature": 0.6, "top_k": 20})";
  for (const char* const field : {"top_k", "top_p", "min_p"})
    EXPECT_EQ(read(greedy, {field}).temperature, 0.6) << field;
  EXPECT_EQ(read(R"({"do_sample": false})", {"top_p"}).temperature, SamplingOptions().temperature);
  for (const char* const field : {"repetition_penalty", "seed", "no_repeat_ngram_size"}) {
    EXPECT_EQ(read(greedy, {field}).temperature, 0.0) << field;
  }
}

TEST(GenerationConfigTest, TakesWhatMayNotBeSaid) {
  const SamplingOptions sampling =
      read(R"({"no_repeat_ngram_size": 3, "suppress_tokens": [7, 5], "begin_suppress_tokens": 9})");
  EXPECT_EQ(sampling.no_repeat_ngram_size, 3);
  EXPECT_EQ(sampling.suppress_tokens, (std::vector<std::int32_t>{7, 5}));
  EXPECT_EQ(sampling.begin_suppress_tokens, (std::vector<std::int32_t>{9}));
  EXPECT_EQ(read(R"({"no_repeat_ngram_size": 3})", {"no_repeat_ngram_size"}).no_repeat_ngram_size, 0);
}

GenerationOptions ends(const std::string& json, const std::set<std::string>& chosen = {}) {
  const test::TemporaryFolder folder;
  write_file(folder.path() / "generation_config.json", json);
  GenerationOptions options;
  read_generation_ends(folder.path(), chosen, options);
  return options;
}

TEST(GenerationConfigTest, TakesWhereTheOutputEnds) {
  EXPECT_EQ(ends(R"({"max_new_tokens": 9, "max_length": 40})").max_tokens, 9);
  EXPECT_EQ(ends(R"({"max_new_tokens": 9, "max_length": 40})").max_length, 0);
  EXPECT_EQ(ends(R"({"max_length": 40})").max_length, 40);
  for (const char* const json : {R"({"max_new_tokens": 9})", R"({"max_length": 40})", "{}"}) {
    EXPECT_EQ(ends(json, {"max_tokens"}).max_tokens, GenerationOptions().max_tokens) << json;
    EXPECT_EQ(ends(json, {"max_tokens"}).max_length, 0) << json;
  }
  EXPECT_EQ(ends(R"({"stop_strings": "END"})").stop_strings, (std::vector<std::string>{"END"}));
  EXPECT_EQ(ends(R"({"stop_strings": ["a", "b"]})").stop_strings, (std::vector<std::string>{"a", "b"}));
  for (const char* const json :
       {R"({"max_length": 0})", R"({"max_new_tokens": "9"})", R"({"stop_strings": [3]})", R"({"stop_strings": ""})"}) {
    EXPECT_NE(test::error_message([&] { ends(json); }).find("generation_config.json"), std::string::npos) << json;
  }
}

TEST(GenerationConfigTest, NullsAndAMissingFileChangeNothing) {
  EXPECT_EQ(read(R"({"temperature": null})").temperature, SamplingOptions().temperature);
  const test::TemporaryFolder empty;
  SamplingOptions sampling;
  read_generation_defaults(empty.path(), {}, sampling);
  EXPECT_EQ(sampling.top_p, SamplingOptions().top_p);
}

TEST(GenerationConfigTest, NonsenseIsNamed) {
  for (const char* const json :
       {R"([])", R"({"top_k": "many"})", R"({"top_k": -3})", R"({"temperature": -1})", R"({"top_p": 1.5})",
        R"({"repetition_penalty": 0})", R"({"no_repeat_ngram_size": -1})", R"({"suppress_tokens": [-1]})"}) {
    EXPECT_NE(test::error_message([&] { read(json); }).find("generation_config.json"), std::string::npos) << json;
  }
}

struct Outputs {
  SamplingOptions sampling;
  TranslationOptions options;
};

Outputs read_outputs(const char* file, const std::string& json, const std::set<std::string>& chosen = {}) {
  const test::TemporaryFolder folder;
  write_file(folder.path() / "config.json", "{}");
  write_file(folder.path() / file, json);
  Outputs outputs;
  read_translation_defaults(folder.path(), chosen, outputs.sampling, outputs.options);
  return outputs;
}

TEST(TranslationDefaultsTest, TakesWhatTheFileSays) {
  const char* const json = R"({"num_beams": 5, "length_penalty": 0.8, "early_stopping": "never", "max_length": 200,
                               "forced_bos_token_id": 7, "temperature": 0.6})";
  for (const char* const file : {"generation_config.json", "config.json"}) {
    const Outputs outputs = read_outputs(file, json);
    EXPECT_EQ(outputs.options.beams.beams, 5);
    EXPECT_EQ(outputs.options.beams.length_penalty, 0.8);
    EXPECT_EQ(outputs.options.beams.early_stopping, EarlyStopping::kNever);
    EXPECT_EQ(outputs.options.max_tokens, 199);  // without the start token
    EXPECT_EQ(outputs.options.first_token, 7);
    EXPECT_EQ(outputs.sampling.temperature, 0.0) << "nobody asked for drawing";
  }
  EXPECT_EQ(read_outputs("generation_config.json", R"({"max_length": 9, "max_new_tokens": 4})").options.max_tokens, 4);
}

TEST(TranslationDefaultsTest, WhatMayNotBeSaidCountsWithoutDrawingToo) {
  const char* const json =
      R"({"num_beams": 5, "repetition_penalty": 1.2, "no_repeat_ngram_size": 3, "temperature": 3})";
  for (const char* const file : {"generation_config.json", "config.json"}) {
    const Outputs outputs = read_outputs(file, json);
    EXPECT_EQ(outputs.sampling.repetition_penalty, 1.2);
    EXPECT_EQ(outputs.sampling.no_repeat_ngram_size, 3);
    EXPECT_EQ(outputs.sampling.temperature, 0.0);
  }
}

TEST(TranslationDefaultsTest, TheUsersWordCounts) {
  const Outputs outputs = read_outputs("generation_config.json", R"({"num_beams": 5, "max_length": 20})",
                                       {"beams", "max_tokens", "length_penalty"});
  EXPECT_EQ(outputs.options.beams.beams, 1);
  EXPECT_EQ(outputs.options.max_tokens, TranslationOptions().max_tokens);
}

TEST(TranslationDefaultsTest, DrawingEndsBeamSearch) {
  const Outputs asked = read_outputs("generation_config.json", R"({"num_beams": 5})", {"temperature"});
  EXPECT_EQ(asked.sampling.temperature, SamplingOptions().temperature);
  EXPECT_EQ(asked.options.beams.beams, 1);
  const Outputs said = read_outputs("generation_config.json", R"({"do_sample": true, "temperature": 0.6})");
  EXPECT_EQ(said.sampling.temperature, 0.6);
  EXPECT_EQ(read_outputs("generation_config.json", "{}", {"top_k"}).sampling.temperature, 1.0);
}

TEST(TranslationDefaultsTest, NonsenseIsNamed) {
  for (const char* const json : {R"([])", R"({"num_beams": 0})", R"({"num_beams": 1.5})", R"({"max_length": 1})",
                                 R"({"early_stopping": "maybe"})", R"({"forced_bos_token_id": -3})",
                                 R"({"length_penalty": "x"})", R"({"max_new_tokens": 1e300})"}) {
    EXPECT_NE(test::error_message([&] { read_outputs("generation_config.json", json); }).find("generation_config.json"),
              std::string::npos)
        << json;
  }
}

}  // namespace generation_config_test
}  // namespace witan
