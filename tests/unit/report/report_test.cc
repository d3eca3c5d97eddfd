// A run folder from its files to the page: what the data holds, how it stays bounded, and that nothing is half-written.
#include "report/report.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/file.h"
#include "support/error_message.h"
#include "unit/report/run_folder.h"

namespace witan {
namespace report_test {

using nlohmann::json;
using witan::test::error_message;
using witan::test::RunFolder;

std::string steps(int count, int experts) {
  std::string text;
  for (int step = 1; step <= count; ++step) {
    json load = json::array();
    for (int expert = 0; expert < experts; ++expert) load.push_back(expert == 0 ? step : 1);
    text += json{{"kind", "step"},
                 {"step", step},
                 {"tokens", 100 * step},
                 {"loss", 10.0 - step},
                 {"balance", {{"load_balance", 1.5}}},
                 {"layers", {{{"layer", 3}, {"load", load}, {"dead_experts", step % 2}}}}}
                .dump() +
            "\n";
  }
  return text;
}

TEST(Report, DataOfAShortRunIsEachStep) {
  const RunFolder folder;
  folder.write("metrics.jsonl",
               R"({"kind":"run","settings":{"router":{"top_k":2},"list":[1,2]},"parameters":{"total":9}})"
               "\n" +
                   steps(3, 2));
  const json data = report_data(folder.path());
  EXPECT_EQ(data["name"], folder.path().filename().string());
  EXPECT_EQ(data["run"]["settings"], json({{"router.top_k", 2}, {"list", {1, 2}}}));
  EXPECT_EQ(data["run"]["parameters"]["total"], 9);
  EXPECT_EQ(data["steps"]["step"], json({1, 2, 3}));
  EXPECT_EQ(data["steps"]["loss"], json({9, 8, 7}));
  EXPECT_EQ(data["steps"]["balance"]["load_balance"], json({1.5, 1.5, 1.5}));
  EXPECT_FALSE(data["steps"].contains("learning_rate"));
  EXPECT_EQ(data["layers"][0]["layer"], 3);
  EXPECT_EQ(data["layers"][0]["load"][2], json({0.75, 0.25}));
  EXPECT_TRUE(data["analysis"].is_null());
}

TEST(Report, ALongRunIsThinnedWithoutLosingItsEnds) {
  const RunFolder folder;
  folder.write("metrics.jsonl", steps(5000, 4));
  const json data = report_data(folder.path());
  EXPECT_EQ(data["steps"]["step"].size(), 1200u);
  EXPECT_EQ(data["steps"]["step"].back(), 5000);
  EXPECT_EQ(data["steps"]["tokens"].back(), 500000);
  EXPECT_EQ(data["steps"]["loss_max"].front(), 9);
  EXPECT_EQ(data["steps"]["loss_min"].back(), 10 - 5000);
  const json& layer = data["layers"][0];
  EXPECT_EQ(layer["load"].size(), 240u);
  for (const json& shares : layer["load"]) {
    double sum = 0;
    for (const json& share : shares) sum += share.get<double>();
    EXPECT_NEAR(sum, 1.0, 1e-4);
  }
  EXPECT_EQ(layer["dead_experts"].front(), 1);
}

TEST(Report, SettingsComeFromTheirFileWhenTheRunLineHasNone) {
  const RunFolder folder;
  folder.write("metrics.jsonl", steps(1, 2));
  folder.write("settings.json", R"({"seed":7})");
  EXPECT_EQ(report_data(folder.path())["run"]["settings"], json({{"seed", 7}}));
}

TEST(Report, WritesOnePageWithTheData) {
  const RunFolder folder;
  folder.write("metrics.jsonl", steps(2, 2));
  folder.write("analysis.json", R"({"samples":[{"prompt":"</script>","text":"<!--"}]})");
  const auto output = folder.path() / "made" / "page.html";
  write_report(folder.path(), output);
  const std::string page = read_text_file(output);
  EXPECT_NE(page.find(R"("prompt":"\u003c/script>")"), std::string::npos);
  EXPECT_EQ(page.find("\"prompt\":\"</script>"), std::string::npos);
}

TEST(Report, NothingIsWrittenWhenAFileIsBroken) {
  const RunFolder folder;
  const auto output = folder.path() / "report.html";
  folder.write("metrics.jsonl", steps(2, 2));
  folder.write("analysis.json", "{");
  EXPECT_THROW(write_report(folder.path(), output), Error);
  EXPECT_FALSE(std::filesystem::exists(output));
}

TEST(Report, SaysWhatIsMissing) {
  const RunFolder folder;
  EXPECT_NE(error_message([&] { report_data(folder.path()); }).find("no metrics.jsonl"), std::string::npos);
  EXPECT_NE(error_message([&] { report_data(folder.path() / "nowhere"); }).find("nowhere"), std::string::npos);
  folder.write("metrics.jsonl", R"({"kind":"run"})"
                                "\n");
  EXPECT_NE(error_message([&] { report_data(folder.path()); }).find("no training step yet"), std::string::npos);
}

TEST(Report, SettingsNestedWithoutEndAreRefused) {
  const RunFolder folder;
  std::string deep = "1";
  for (int i = 0; i < 2000; ++i) deep = "{\"a\":" + deep + "}";
  folder.write("metrics.jsonl", R"({"kind":"run","settings":)" + deep + "}\n" + steps(1, 2));
  EXPECT_NE(error_message([&] { report_data(folder.path()); }).find("nested"), std::string::npos);
}

}  // namespace report_test
}  // namespace witan
