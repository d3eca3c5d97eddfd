// JSON from outside: where it breaks, and twins.
#include "base/json.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/file.h"
#include "support/error_message.h"
#include "support/temporary_folder.h"

namespace witan {
namespace json_test {

std::string error(std::string_view text) {
  return test::error_message([&] { parse_json(text, "f.json"); });
}

TEST(JsonTest, ReadsAFile) {
  const test::TemporaryFolder folder;
  write_file(folder / "a.json", R"({"a": {"b": [1, 2.5, "x"]}, "b": 1})");
  EXPECT_EQ(read_json_file(folder / "a.json")["a"]["b"][1], 2.5);
}

TEST(JsonTest, SaysWhereItBreaks) {
  EXPECT_TRUE(error(R"({"a": )").starts_with("f.json: invalid JSON at byte 7: syntax error")) << error(R"({"a": )");
  EXPECT_TRUE(error("").starts_with("f.json: invalid JSON at byte 1: ")) << error("");
  EXPECT_TRUE(error("{} x").starts_with("f.json: invalid JSON at byte 4: ")) << error("{} x");
  EXPECT_TRUE(error("\"\xff\"").starts_with("f.json: invalid JSON at byte 2: ")) << error("\"\xff\"");
  EXPECT_TRUE(error("1e999").starts_with("f.json: invalid JSON: ")) << error("1e999");
}

TEST(JsonTest, AMessageDoesNotRepeatALongText) {
  const std::string message =
      test::error_message([] { parse_json("{\"text\": \"" + std::string(100000, 'x'), "here"); });
  EXPECT_LT(message.size(), 300U);
  EXPECT_NE(message.find("invalid JSON at byte"), std::string::npos) << message;
}

TEST(JsonTest, RefusesTwinKeys) {
  EXPECT_EQ(error(R"({"a": 1, "a": 2})"), "f.json: invalid JSON: key \"a\" stands twice in one object");
  EXPECT_EQ(error(R"([{"b": {"x": 1, "y": [], "x": {}}}])"),
            "f.json: invalid JSON: key \"x\" stands twice in one object");
  EXPECT_EQ(error(R"({"a": {"a": [{"a": 1}, {"a": 1}]}, "b": {"a": 1}})"), "no error");
}

TEST(JsonTest, SurvivesDeepNesting) {
  EXPECT_NE(error(std::string(200000, '[')), "no error");
  EXPECT_EQ(error(std::string(100000, '[') + std::string(100000, ']')), "no error");
}

}  // namespace json_test
}  // namespace witan
