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

TEST(GenerationConfigTest, NullsAndAMissingFileChangeNothing) {
  EXPECT_EQ(read(R"({"temperature": null})").temperature, SamplingOptions().temperature);
  const test::TemporaryFolder empty;
  SamplingOptions sampling;
  read_generation_defaults(empty.path(), {}, sampling);
  EXPECT_EQ(sampling.top_p, SamplingOptions().top_p);
}

TEST(GenerationConfigTest, NonsenseIsNamed) {
  for (const char* const json : {R"([])", R"({"top_k": "many"})", R"({"top_k": -3})", R"({"temperature": -1})",
                                 R"({"top_p": 1.5})", R"({"repetition_penalty": 0})"}) {
    EXPECT_NE(test::error_message([&] { read(json); }).find("generation_config.json"), std::string::npos) << json;
  }
}

}  // namespace generation_config_test
}  // namespace witan
