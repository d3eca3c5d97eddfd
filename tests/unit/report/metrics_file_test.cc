// metrics.jsonl as it comes: whole, resumed, still being written, broken.
#include "report/metrics_file.h"

#include <fmt/core.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "support/error_message.h"
#include "unit/report/run_folder.h"

namespace witan {
namespace metrics_file_test {

using witan::test::error_message;
using witan::test::RunFolder;

const std::string kStep1 = R"({"kind":"step","step":1,"tokens":64,"loss":8.5,"layers":[{"layer":0,"load":[3,1]}]})";
const std::string kStep2 = R"({"kind":"step","step":2,"tokens":128,"loss":null,"layers":[{"layer":0,"load":[2,2]}]})";

TEST(MetricsFile, ReadsStepsEvalsAndTheRun) {
  const RunFolder folder;
  const MetricsFile metrics(folder.write(
      "metrics.jsonl",
      R"({"kind":"run","settings":{"a":1}})"
      "\n" +
          kStep1 + "\n\n" + kStep2 + "\n" +
          R"({"kind":"eval","step":2,"loss":7.5,"bits_per_byte":3,"domains":{"en":{"loss":7,"bits_per_byte":2.5}}})"
          "\n"
          R"({"kind":"of a later version"})"
          "\n"));
  EXPECT_EQ(metrics.num_runs(), 1);
  EXPECT_EQ(metrics.run()["settings"]["a"], 1);
  ASSERT_EQ(metrics.num_steps(), 2);
  EXPECT_EQ(metrics.step(0).loss, 8.5);
  EXPECT_EQ(metrics.step(0).layers.at(0).load, (std::vector<double>{3, 1}));
  EXPECT_TRUE(std::isnan(metrics.step(1).loss));
  EXPECT_TRUE(std::isnan(metrics.step(1).learning_rate));
  ASSERT_EQ(metrics.evals().size(), 1u);
  EXPECT_EQ(metrics.evals()[0].all.loss, 7.5);
  EXPECT_EQ(metrics.evals()[0].domains.at("en").bits_per_byte, 2.5);
}

TEST(MetricsFile, StepsGoneThroughAgainAfterAResumeCountOnce) {
  const RunFolder folder;
  std::string text;
  for (int step = 1; step <= 5; ++step)
    text += fmt::format(R"({{"kind":"step","step":{},"loss":9}})"
                        "\n",
                        step);
  text += R"({"kind":"eval","step":5,"loss":9})"
          "\n"
          R"({"kind":"run"})"
          "\n";
  for (int step = 3; step <= 4; ++step)
    text += fmt::format(R"({{"kind":"step","step":{},"loss":1}})"
                        "\n",
                        step);
  const MetricsFile metrics(folder.write("metrics.jsonl", text));
  ASSERT_EQ(metrics.num_steps(), 4);
  EXPECT_EQ(metrics.step(1).loss, 9);
  EXPECT_EQ(metrics.step(2).loss, 1);
  EXPECT_EQ(metrics.step(3).step, 4);
  EXPECT_TRUE(metrics.evals().empty());
}

TEST(MetricsFile, ALastLineStillBeingWrittenIsLeftOut) {
  const RunFolder folder;
  const MetricsFile metrics(folder.write("metrics.jsonl", kStep1 + "\n" + kStep2.substr(0, 30)));
  EXPECT_EQ(metrics.num_steps(), 1);
  const MetricsFile finished(folder.write("metrics.jsonl", kStep1 + "\n" + kStep2));
  EXPECT_EQ(finished.num_steps(), 2);
}

struct Broken {
  const char* line;
  const char* expected;
};

class MetricsFileBroken : public ::testing::TestWithParam<Broken> {};

TEST_P(MetricsFileBroken, NamesFileLineAndFault) {
  const RunFolder folder;
  const auto path = folder.write("metrics.jsonl", kStep1 + "\n" + GetParam().line + "\n" + kStep2 + "\n");
  const std::string message = error_message([&] { const MetricsFile metrics(path); });
  EXPECT_TRUE(message.starts_with(path.string() + ":2: ")) << message;
  EXPECT_NE(message.find(GetParam().expected), std::string::npos) << message;
}

INSTANTIATE_TEST_SUITE_P(
    Lines, MetricsFileBroken,
    ::testing::Values(Broken{R"({"kind":"step","step":2)", "JSON"}, Broken{"[1,2]", "expected an object"},
                      Broken{"{\"kind\":\"step\",\"step\":2,\"note\":\"\xFF\"}", "JSON"},
                      Broken{R"({"step":2})", "\"kind\""}, Broken{R"({"kind":"step","loss":2})", "\"step\" is missing"},
                      Broken{R"({"kind":"step","step":-1})", "at least 0"},
                      Broken{R"({"kind":"step","step":1.5})", "1.5"},
                      Broken{R"({"kind":"step","step":2,"loss":"low"})", "expected a number"},
                      Broken{R"({"kind":"step","step":2,"layers":[3]})", "expected objects"},
                      Broken{R"({"kind":"step","step":2,"layers":[{"layer":0,"load":[1,-1]}]})", "index 1"},
                      Broken{R"({"kind":"step","step":2,"layers":[{"layer":0,"load":[1,2,3]}]})",
                             "3 experts, expected 2"},
                      Broken{R"({"kind":"step","step":2,"balance":[1]})", "expected an object"},
                      Broken{R"({"kind":"eval","step":2,"domains":[1]})", "expected an object"},
                      Broken{R"({"kind":"eval","step":2,"domains":{"en":1}})", "\"en\""}));

}  // namespace metrics_file_test
}  // namespace witan
