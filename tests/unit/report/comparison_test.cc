// From the files of a comparison's runs to its table and its page.
#include "report/comparison.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/file.h"
#include "support/error_message.h"
#include "support/temporary_folder.h"

namespace witan {
namespace report_comparison_test {

using nlohmann::json;

class ComparisonReportTest : public testing::Test {
 protected:
  // A run of eight steps whose load is `load` in all of them but the first.
  ComparedRun run(const std::string& label, int seed, const json& bits, double load) {
    const auto folder = folder_.path() / (label + std::to_string(seed));
    std::filesystem::create_directories(folder);
    json result = {{"seed", seed},
                   {"bits_per_byte", bits},
                   {"loss", 1.5},
                   {"tokens_per_second", 100.0},
                   {"parameters", {{"total", 2000000}, {"active", 1000000}}},
                   {"routing", {{"share", 0.25}, {"microseconds_per_row", 3.0}}},
                   {"diverged", bits.is_null() ? json("in step 3") : json()}};
    write_file(folder / "result.json", result.dump());
    std::string lines;
    for (int step = 1; step <= 8; ++step) {
      const json layer = {{"layer", 0},           {"load", {1, 3}},        {"max_over_mean", step == 1 ? 9.0 : load},
                          {"dropped_share", 0.5}, {"router_entropy", 0.7}, {"dead_experts", 1}};
      lines += json{{"kind", "step"}, {"step", step}, {"bits_per_byte", 8.0 / step}, {"layers", {layer}}}.dump() + "\n";
    }
    lines += json{{"kind", "eval"}, {"step", 8}, {"bits_per_byte", bits}}.dump() + "\n";
    write_file(folder / "metrics.jsonl", lines);
    return {label, folder / "result.json", folder / "metrics.jsonl"};
  }

  test::TemporaryFolder folder_;
};

TEST_F(ComparisonReportTest, SeedsAreAveragedAndCurvesKept) {
  const std::vector<ComparedRun> runs = {run("worse", 0, 2.0, 1.5), run("better", 0, 1.8, 2.0),
                                         run("worse", 1, 2.2, 2.5)};
  const json data = comparison_data("zoo", runs);
  ASSERT_EQ(data["candidates"].size(), 2U);
  const json& worse = data["candidates"][0];
  EXPECT_EQ(worse["label"], "worse");
  EXPECT_EQ(worse["seeds"], json({0, 1}));
  EXPECT_NEAR(worse["bits_per_byte"]["mean"].get<double>(), 2.1, 1e-4);
  EXPECT_NEAR(worse["bits_per_byte"]["deviation"].get<double>(), 0.14142, 1e-4);
  EXPECT_NEAR(worse["load"].get<double>(), 2.0, 1e-4);  // the first step does not count
  EXPECT_NEAR(worse["dropped"].get<double>(), 0.5, 1e-6);
  EXPECT_EQ(worse["curves"]["step"].size(), 8U);
  EXPECT_NEAR(worse["curves"]["load"][0].get<double>(), 9.0, 1e-4);
  EXPECT_TRUE(data["candidates"][1]["bits_per_byte"]["deviation"].is_null());

  const std::string table = comparison_table(data);
  EXPECT_LT(table.find("better"), table.find("worse")) << table;
  EXPECT_NE(table.find("2.1000"), std::string::npos) << table;
}

TEST_F(ComparisonReportTest, DivergedRunsComeLast) {
  const std::vector<ComparedRun> runs = {run("gone", 0, nullptr, 1.5), run("there", 0, 1.8, 2.0)};
  const json data = comparison_data("zoo", runs);
  EXPECT_TRUE(data["candidates"][0]["bits_per_byte"]["mean"].is_null());
  const std::string table = comparison_table(data);
  EXPECT_GT(table.find("gone"), table.find("there"));
  EXPECT_NE(table.find("diverged"), std::string::npos);
}

TEST_F(ComparisonReportTest, PageAndNumbersAreWritten) {
  const std::vector<ComparedRun> runs = {run("top_k</script>", 0, 1.8, 2.0)};
  const json data = comparison_data("zoo", runs);
  write_comparison(data, folder_.path());
  EXPECT_EQ(json::parse(read_text_file(folder_.path() / "comparison.json")), data);
  const std::string page = read_text_file(folder_.path() / "comparison.html");
  EXPECT_NE(page.find("top_k\\u003c/script>"), std::string::npos);
  EXPECT_EQ(page.find("{\"witan\":\"data\"}"), std::string::npos);
}

TEST_F(ComparisonReportTest, MissingAndBrokenFilesAreNamed) {
  ComparedRun broken = run("top_k", 0, 1.8, 2.0);
  write_file(broken.result, "{");
  EXPECT_NE(test::error_message([&] { comparison_data("zoo", {&broken, 1}); }).find("result.json"), std::string::npos);
}

}  // namespace report_comparison_test
}  // namespace witan
