// analysis.json: what is right passes through, shapes that disagree are named.
#include "report/analysis_file.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "support/error_message.h"
#include "unit/report/run_folder.h"

namespace witan {
namespace analysis_file_test {

using nlohmann::json;
using witan::test::error_message;
using witan::test::RunFolder;

json good() {
  return json::parse(R"({"domains":["en","de"],"layers":[{"layer":1,"experts":2,"load_by_domain":[[0.25,0.75],[1,0]],
    "load":[0.6,0.4],"entropy":0.5,"top_tokens":[[{"token":"</s>","count":3,"lift":2.5}],[]]}],
    "samples":[{"prompt":"A","text":"b"}],"compressors":{"xz -9":2.5}})");
}

TEST(AnalysisFile, PassesThroughWhatIsRight) {
  const RunFolder folder;
  EXPECT_EQ(read_analysis(folder.write("analysis.json", good().dump())), good());
}

TEST(AnalysisFile, PartsMayBeMissing) {
  const RunFolder folder;
  const json analysis = read_analysis(folder.write("analysis.json", R"({"layers":[{"layer":0,"experts":4}]})"));
  EXPECT_TRUE(analysis["domains"].empty());
  EXPECT_TRUE(analysis["layers"][0]["load_by_domain"].empty());
  EXPECT_TRUE(analysis["layers"][0]["entropy"].is_null());
  EXPECT_TRUE(analysis["samples"].empty());
}

struct Fault {
  const char* pointer;
  const char* value;
  const char* expected;
};

class AnalysisFileBroken : public ::testing::TestWithParam<Fault> {};

TEST_P(AnalysisFileBroken, NamesFileAndFault) {
  const RunFolder folder;
  json broken = good();
  broken[json::json_pointer(GetParam().pointer)] = json::parse(GetParam().value);
  const auto path = folder.write("analysis.json", broken.dump());
  const std::string message = error_message([&] { read_analysis(path); });
  EXPECT_TRUE(message.starts_with(path.string())) << message;
  EXPECT_NE(message.find(GetParam().expected), std::string::npos) << message;
}

INSTANTIATE_TEST_SUITE_P(Faults, AnalysisFileBroken,
                         ::testing::Values(Fault{"/domains", "[1]", "expected texts"},
                                           Fault{"/layers/0/experts", "0", "at least 1"},
                                           Fault{"/layers/0/load", "[1]", "one per expert: 2"},
                                           Fault{"/layers/0/load_by_domain", "[[0.5,0.5]]", "1 entries, expected 2"},
                                           Fault{"/layers/0/load_by_domain/1", "[1]", "a row of 1"},
                                           Fault{"/layers/0/load_by_domain/1/0", "null", "layer 1"},
                                           Fault{"/layers/0/top_tokens", "[[]]", "expected 2"},
                                           Fault{"/layers/0/top_tokens/0/0/token", "7", "\"token\""},
                                           Fault{"/samples/0", "{}", "\"prompt\""},
                                           Fault{"/compressors", "[]", "expected an object"}));

}  // namespace analysis_file_test
}  // namespace witan
