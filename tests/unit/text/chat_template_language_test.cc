// Statements and operators that few templates use. The expected texts are what Jinja 3.1 prints.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "support/error_message.h"
#include "text/chat_template.h"

namespace witan {
namespace chat_template_language_test {

using Json = nlohmann::ordered_json;
using test::error_message;

std::string rendered(const std::string& source) {
  return ChatTemplate(source, "t", Json::object()).render(Json::array());
}

TEST(ChatTemplateLanguageTest, ComparisonsChain) {
  EXPECT_EQ(rendered("{{ 3 > 2 == true }}{{ 1 < 2 < 3 }}{{ 1 < 3 < 2 }}{{ 1 in [1] == true }}{{ 1 == 1 != 2 }}"),
            "FalseTrueFalseFalseTrue");
  EXPECT_EQ(
      rendered("{{ 2 not in [1] }}{{ 1 not in [1] not in [2] }}{{ not 1 == 2 }}{{ 1 > 2 > nothing.x }}{{ 1 < 2 and "
               "2 > 1 }}"),
      "TrueFalseTrueFalseTrue");
}

TEST(ChatTemplateLanguageTest, WithHasAScopeOfItsOwn) {
  EXPECT_EQ(
      rendered("{% set a = 1 %}{% with a = 2, b = a %}{{ a }}{{ b }}{% set a = 3 %}{% set c = 4 %}{{ a }}{% endwith "
               "%}{{ a }}{{ c is defined }}{% with %}{{ a }}{% endwith %}"),
      "2131False1");
  EXPECT_EQ(
      rendered("{% for i in range(5) %}{% with k = i %}{% if k == 2 %}{% break %}{% endif %}{{ k }}{% endwith %}{% "
               "endfor %}"),
      "01");
  EXPECT_EQ(error_message([] { rendered("{% with a = 1 %}"); }), "t: line 1: expected {% endwith %}");
}

TEST(ChatTemplateLanguageTest, FilterTakesWhatItsBodyPrints) {
  EXPECT_EQ(rendered("{% filter upper | replace('B', '_') %}ab{{ 'c' }}{% filter trim %} d {% endfilter %}{% endfilter "
                     "%}"),
            "A_CD");
  EXPECT_EQ(
      rendered("{% macro m() %}{% filter upper %}x{% endfilter %}{% endmacro %}{% filter replace('y', m()) %}xyz{% "
               "set q = 1 %}{% endfilter %}{{ q is defined }}"),
      "xXzFalse");
}

TEST(ChatTemplateLanguageTest, PowersOfWholeNumbersAreExactOrRefused) {
  EXPECT_EQ(
      rendered("{{ 2 ** 62 }} {{ 3 ** 39 }} {{ (-3) ** 3 }} {{ 0 ** 0 }} {{ 2 ** -1 }} {{ 1 ** 999999999 }} {{ 2.0 "
               "** 3 }}"),
      "4611686018427387904 4052555153018976267 -27 1 0.5 1 8.0");
  EXPECT_EQ(error_message([] { rendered("{{ 10 ** 20 }}"); }), "t: line 1: the result of ** is too large");
}

TEST(ChatTemplateLanguageTest, ViewsOfDictsAreNoSequences) {
  EXPECT_EQ(rendered("{{ {'a': 1}.keys() is sequence }}{{ [1] is sequence }}{{ (1,) is sequence }}{{ 'a' is sequence "
                     "}}{{ {} is sequence }}{{ 1 is sequence }}{{ {}.items() is sequence }}"),
            "FalseTrueTrueTrueTrueFalseFalse");
}

TEST(ChatTemplateLanguageTest, FiltersOfLists) {
  EXPECT_EQ(
      rendered("{{ [1, 2, 3, 4, 5] | batch(2) | list }}{{ [1, 2, 3] | batch(2, 'x') | list }}{{ [] | batch(2, 0) | "
               "list }}"),
      "[[1, 2], [3, 4], [5]][[1, 2], [3, 'x']][]");
  EXPECT_EQ(rendered("{{ [1, 2, 3, 4, 5] | slice(3) | list }}{{ [1, 2, 3, 4, 5] | slice(3, 'x') | list }}{{ [1] | "
                     "slice(2) | list }}{{ [1, 2] | slice(2, 0) | list }}"),
            "[[1, 2], [3, 4], [5]][[1, 2], [3, 4], [5, 'x']][[1], []][[1, 0], [2, 0]]");
  EXPECT_EQ(
      rendered("{{ [{'n': 1}, {'n': 2}] | sum(attribute='n') }} {{ [1, 2.5] | sum }} {{ [1] | sum(start=10) }} {{ "
               "[2 ** 62, 1] | sum }} {{ [] | sum }} {{ [{'a': {'b': 3}}] | sum('a.b', 4) }}"),
      "3 3.5 11 4611686018427387905 0 7");
  EXPECT_EQ(rendered("{{ \"It's a_b, c-d é 12!\" | wordcount }}{{ '' | wordcount }}"), "70");
  EXPECT_EQ(error_message([] { rendered("{{ [1] | batch(0) }}"); }), "t: line 1: batch wants a whole number from 1");
  for (const std::string call : {"batch(999999999999, 0)", "slice(999999999999)"}) {
    EXPECT_EQ(error_message([&] { rendered("{{ [1] | " + call + " | length }}"); }),
              "t: line 1: the template makes or goes through more than 268435456 bytes");
  }
}

TEST(ChatTemplateLanguageTest, TextsAreFormattedAsInPython) {
  EXPECT_EQ(rendered("{{ '%s' % 'x' }}|{{ '%s-%s' % (1, [2]) }}|{{ '100%%' % () }}|{{ '%s' % none }}|{{ '%s' | "
                     "format(true) }}|{{ '%s %s' | format('a', 2.5) }}|{{ 'x' % [] }}"),
            "x|1-[2]|100%|None|True|a 2.5|x");
  EXPECT_EQ(rendered("{{ '%5s|%-5s|%.2s' % ('é', 'b', 'céd') }}|{{ '%03d|%+d|%-4d|% i|%x|%d' % (7, 8, -9, 1, 255, 2.9) "
                     "}}|{{ '%.2f|%08.3f|%f' % (2.675, -1.5, 1) }}"),
            "    é|b    |cé|007|+8|-9  | 1|ff|2|2.67|-001.500|1.000000");
  EXPECT_EQ(error_message([] { rendered("{{ '%s' % () }}"); }), "t: line 1: %: more conversions than values");
  EXPECT_EQ(error_message([] { rendered("{{ '%s' % (1, 2) }}"); }), "t: line 1: %: more values than conversions");
  EXPECT_EQ(error_message([] { rendered("{{ '%d' % 'a' }}"); }), "t: line 1: %d wants a number, not a string");
  EXPECT_NE(error_message([] { rendered("{{ '%' % 1 }}"); }).find("a conversion is unknown"), std::string::npos);
  EXPECT_NE(error_message([] { rendered("{{ '%99999999s' % 1 }}"); }).find("a width of more than 1000"),
            std::string::npos);
}

}  // namespace chat_template_language_test
}  // namespace witan
