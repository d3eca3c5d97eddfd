// A template is not trusted: a few lines of it make values that are longer than memory once they are written, compared
// or gone through, though they take none themselves. Each of these ends with an error, at once.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "support/error_message.h"
#include "text/chat_template.h"

namespace witan {
namespace chat_template_limits_test {

using Json = nlohmann::ordered_json;
using test::error_message;

std::string rendered(const std::string& source, const Json& messages = Json::array()) {
  return ChatTemplate(source, "t", Json::object()).render(messages);
}

// ns.a and ns.b: equal lists in lists, 2^40 long when they are spread out.
std::string with_vast_lists(const std::string& expression) {
  return "{% set ns = namespace(a=(1,), b=(1,)) %}{% for i in range(40) %}{% set ns.a = (ns.a, ns.a) %}{% set ns.b = "
         "(ns.b, ns.b) %}{% endfor %}{{ " +
         expression + " }}";
}

TEST(ChatTemplateLimitsTest, VastListsAreNeitherComparedNorWritten) {
  for (const std::string expression :
       {"ns.a < ns.b", "ns.a == ns.b", "ns.a in [ns.b]", "[ns.a, ns.b] | sort", "[ns.a] | select('eq', ns.b)", "ns.a",
        "[ns.a] | map('upper')", "ns.a | tojson | length"}) {
    EXPECT_EQ(error_message([&] { rendered(with_vast_lists(expression)); }),
              "t: line 1: the template makes or goes through more than 268435456 bytes")
        << expression;
  }
  EXPECT_EQ(rendered(with_vast_lists("ns.a == ns.a")), "True") << "the same list, not gone through";
  EXPECT_EQ(rendered(with_vast_lists("ns.a | length")), "2");
}

TEST(ChatTemplateLimitsTest, LongTextsAreChargedBeforeTheyAreMadeAgain) {
  for (const std::string expression : {"('a' * 5000000) | list | length", "('a' * 5000000).split('a') | length",
                                       "('a ' * 5000000).split() | length", "('\\n' * 5000000).splitlines() | length",
                                       "1 | tojson(indent=999999999999)", "[[[1]]] | tojson(indent=100000000)"}) {
    EXPECT_NE(error_message([&] { rendered("{{ " + expression + " }}"); }), "no error") << expression;
  }
  EXPECT_EQ(rendered("{% set s = 'a' * 1000000 %}{% set ns = namespace(l=[s]) %}{% for i in range(14) %}{% set ns.l = "
                     "ns.l + ns.l %}{% endfor %}{{ ns.l | length }}"),
            "16384")
      << "one text that stands at many places is held once";
}

TEST(ChatTemplateLimitsTest, SearchesTakeATimeOfTheSumOfBothLengths) {
  EXPECT_EQ(rendered("{% set t = 'a' * 3000000 %}{% set p = 'a' * 1000000 ~ 'b' %}{{ p in t }}{{ t.find(p) }}{{ "
                     "t.count(p) }}{{ t.split(p) | length }}{{ t.replace(p, '') | length }}"),
            "False-1013000000");
  EXPECT_EQ(rendered("{% set t = 'a' * 3000000 %}{% set p = 'b' ~ 'a' * 1000000 %}{{ t.rfind(p) }}{{ t.rsplit(p) | "
                     "length }}{{ t.strip('b' * 1000000) | length }}"),
            "-113000000");
  EXPECT_EQ(rendered("{{ 'abcabcé'.rfind('bc') }}{{ 'abc'.rfind('') }}{{ 'abc'.rfind('abcd') }}{{ "
                     "'a--é---b'.rsplit('--', 1) }}{{ 'a---b'.split('--') }}{{ 'aaa'.rsplit('aa') }}"),
            "43-1['a--é-', 'b']['a', '-b']['a', '']");
}

TEST(ChatTemplateLimitsTest, ValuesDoNotNestWithoutBound) {
  for (const std::string value : {"[ns.a]", "(ns.a,)", "{'k': ns.a}"}) {
    EXPECT_EQ(error_message([&] {
                rendered("{% set ns = namespace(a=1) %}{% for i in range(50000) %}{% set ns.a = " + value +
                         " %}{% endfor %}");
              }),
              "t: line 1: a value nests more than 100 deep")
        << value;
  }
  Json deep = 1;
  for (int i = 0; i < 200; ++i) deep = Json::array({std::move(deep)});
  EXPECT_EQ(error_message([&] { rendered("x", deep); }), "t: a value nests more than 100 deep");
  for (const std::string value : {"ns", "[ns]", "{'k': [ns]}"}) {
    EXPECT_EQ(error_message([&] { rendered("{% set ns = namespace() %}{% set ns.a = " + value + " %}"); }),
              "t: line 1: a namespace cannot hold a namespace");
    EXPECT_EQ(
        error_message([&] { rendered("{% set ns = namespace() %}{% set other = namespace(a=" + value + ") %}"); }),
        "t: line 1: a namespace cannot hold a namespace");
  }
}

TEST(ChatTemplateLimitsTest, ListsCompareAsInPython) {
  EXPECT_EQ(
      rendered("{{ [1, [2, 'a']] < [1, [2, 'b']] }}{{ [1] < [1, 0] }}{{ [none, 1] < [none, 2] }}{{ (2,) >= (1, 9) "
               "}}{{ [{'k': 1}, 1] > [{'k': 1.0}, 0] }}{{ [9007199254740993] > [9007199254740992] }}"),
      "TrueTrueTrueTrueTrueTrue");
  EXPECT_EQ(error_message([] { rendered("{{ [none] < [1] }}"); }), "t: line 1: None and an int have no order");
  EXPECT_EQ(error_message([] { rendered("{{ {} < {} }}"); }), "t: line 1: a dict and a dict have no order");
  EXPECT_EQ(rendered("{{ range(50000) | sort(reverse=true) | first }}{{ ['b', 'A', 'c'] | sort | join }}{{ "
                     "[{'k': 2}, {'k': 1}] | sort(attribute='k') }}"),
            "49999Abc[{'k': 1}, {'k': 2}]");
}

}  // namespace chat_template_limits_test
}  // namespace witan
