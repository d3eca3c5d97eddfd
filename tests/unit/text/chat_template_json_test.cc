// The filter tojson, as Transformers defines it: Python's json.dumps with ensure_ascii=False. The expected texts are
// Python's.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "support/error_message.h"
#include "text/chat_template.h"

namespace witan {
namespace chat_template_json_test {

using Json = nlohmann::ordered_json;
using test::error_message;

std::string as_json(const std::string& value, const std::string& arguments = "") {
  return ChatTemplate("{{ " + value + " | tojson(" + arguments + ") }}", "t", Json::object()).render(Json::array());
}
std::string refusal(const std::string& arguments) {
  return error_message([&] { as_json("1", arguments); });
}

TEST(ChatTemplateJsonTest, WritesOneLineUnlessThereIsAnIndent) {
  EXPECT_EQ(as_json("{'b': [1, 2.5, 'é'], 'a': {}}"), R"({"b": [1, 2.5, "é"], "a": {}})");
  EXPECT_EQ(as_json("{'b': [1, []], 'a': {}}", "indent=2"), "{\n  \"b\": [\n    1,\n    []\n  ],\n  \"a\": {}\n}");
  EXPECT_EQ(as_json("[1, 2]", "indent='->'"), "[\n->1,\n->2\n]");
  EXPECT_EQ(as_json("[1, 2]", "indent=0"), "[\n1,\n2\n]");
  EXPECT_EQ(as_json("[1, 2]", "indent=-3"), "[\n1,\n2\n]");
  EXPECT_EQ(as_json("[1, 2]", "indent=none"), "[1, 2]");
  EXPECT_EQ(as_json("[1]", "indent=50"), "[\n" + std::string(50, ' ') + "1\n]");
}

TEST(ChatTemplateJsonTest, TakesSeparators) {
  EXPECT_EQ(as_json("{'a': [1, 2], 'b': 3}", "separators=(',', ':')"), R"({"a":[1,2],"b":3})");
  EXPECT_EQ(as_json("{'a': [1, 2]}", "indent=1, separators=[' ,', ' = ']"), "{\n \"a\" = [\n  1 ,\n  2\n ]\n}");
  EXPECT_EQ(as_json("[1, 2]", "separators=none"), "[1, 2]");
}

TEST(ChatTemplateJsonTest, EscapesWhatIsNotAsciiWhenTold) {
  const std::string text = R"('é\u2028😀\x7f\x01\b\f\n\r\t\"\\/')";
  EXPECT_EQ(as_json(text), "\"é\u2028\U0001F600\x7f\\u0001\\b\\f\\n\\r\\t\\\"\\\\/\"");
  EXPECT_EQ(as_json(text, "ensure_ascii=true"), R"("\u00e9\u2028\ud83d\ude00\u007f\u0001\b\f\n\r\t\"\\/")");
  EXPECT_EQ(as_json("{'é': 1}", "true"), R"({"\u00e9": 1})");
}

TEST(ChatTemplateJsonTest, PrintedTextsInListsEscapeAsInPython) {
  EXPECT_EQ(ChatTemplate(R"({{ ['é\u2028\xa0\x7f\U0001F600\ue000\U000F0000\t'] }})", "t", Json::object())
                .render(Json::array()),
            R"(['é\u2028\xa0\x7f😀\ue000\U000f0000\t'])");
}

TEST(ChatTemplateJsonTest, SortsFieldsWhenTold) {
  EXPECT_EQ(as_json("{'b': {'z': 1, 'y': 2}, 'a': 3, 'B': 4}", "sort_keys=true"),
            R"({"B": 4, "a": 3, "b": {"y": 2, "z": 1}})");
}

TEST(ChatTemplateJsonTest, TakesItsArgumentsInOrder) {
  EXPECT_EQ(as_json("{'é': [1, 2], 'b': 3}", "true, 1, (';', '='), true"),
            "{\n \"b\"=3;\n \"\\u00e9\"=[\n  1;\n  2\n ]\n}");
  EXPECT_EQ(as_json("[1, 2]", "false, none, (',', ':')"), "[1,2]");
}

TEST(ChatTemplateJsonTest, WritesNumbersAsPythonDoes) {
  EXPECT_EQ(as_json("[1e308 * 10, -1e308 * 10, 1e308 * 10 * 0, 1e16, true, none]"),
            "[Infinity, -Infinity, NaN, 1e+16, true, null]");
}

TEST(ChatTemplateJsonTest, RefusesWhatItDoesNotKnow) {
  EXPECT_EQ(refusal("idnent=2"),
            "t: line 1: tojson has no argument idnent (known: ensure_ascii, indent, separators, sort_keys)");
  EXPECT_EQ(refusal("true, ensure_ascii=true"), "t: line 1: tojson: the argument ensure_ascii is given twice");
  EXPECT_EQ(refusal("true, 1, none, true, 1"), "t: line 1: tojson takes at most 4 arguments");
  EXPECT_EQ(refusal("indent=1.5"), "t: line 1: tojson: indent is to be a whole number, a string or none, not a float");
  EXPECT_EQ(refusal("separators=(',',)"), "t: line 1: tojson: separators are to be two strings");
  EXPECT_EQ(error_message([] { as_json("missing"); }), "t: line 1: tojson of undefined");
}

}  // namespace chat_template_json_test
}  // namespace witan
