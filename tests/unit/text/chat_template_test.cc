// Chat templates: Jinja's language piece by piece, what it refuses, and that a template cannot run away. The expected
// texts are what Jinja 2 prints; tests/tokenizers compares whole templates with @huggingface/jinja.
#include "text/chat_template.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/file.h"
#include "support/error_message.h"
#include "support/temporary_folder.h"

namespace witan {
namespace chat_template_test {

using Json = nlohmann::ordered_json;
using test::error_message;

std::string rendered(const std::string& source, const Json& more = Json::object()) {
  return ChatTemplate(source, "t", {{"bos_token", "<s>"}})
      .render(Json::parse(R"([{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Yo"}])"), nullptr,
              true, more);
}

TEST(ChatTemplateTest, WhiteSpaceControl) {
  EXPECT_EQ(rendered("a\n  {% if true %}\nb\n  {% endif %}\nc\n"), "a\nb\nc") << "blocks take their lines";
  EXPECT_EQ(rendered("a {%- if true -%}  b  {%- endif -%} c"), "abc");
  EXPECT_EQ(rendered("a\n  {{ 1 }}\nb"), "a\n  1\nb") << "prints do not";
  EXPECT_EQ(rendered("a\n {#- c -#} \nb"), "ab");
  EXPECT_EQ(rendered("x {% if true %}\n  y{% endif %}"), "x   y") << "only at the start of a line";
  EXPECT_EQ(rendered("  {%+ if true %}a{% endif +%}\nb"), "  a\nb");
  EXPECT_EQ(rendered("{{- '\\n' }}\n\n"), "\n\n");
}

TEST(ChatTemplateTest, ExpressionsBindAsInJinja) {
  EXPECT_EQ(rendered("{{ 1 + 2 * 3 ** 2 }} {{ 7 // 2 }} {{ -7 // 2 }} {{ -7 % 3 }} {{ 7 / 2 }} {{ 2 ** 0.5 > 1.4 }}"),
            "19 3 -4 2 3.5 True");
  EXPECT_EQ(rendered("{{ 'a' ~ 1 ~ 2 }}{{ not true or true }}{{ not 1 == 2 }}{{ 1 + 2 is odd }}"), "a12TrueTrue1");
}

TEST(ChatTemplateTest, ValuesPrintAsPythonDoes) {
  EXPECT_EQ(rendered("{{ [1, 'a', none, true, 2.0, {'k': \"it's\"}] }}"), "[1, 'a', None, True, 2.0, {'k': \"it's\"}]");
  EXPECT_EQ(rendered("{{ none }}|{{ missing }}|{{ 0.5 }}|{{ 'a' 'b' }}"), "None||0.5|ab");
}

TEST(ChatTemplateTest, ListsDictsAndSlices) {
  EXPECT_EQ(rendered("{{ messages[-1].content }}{{ messages[0]['role'] }}{{ messages[9] is defined }}"), "YouserFalse");
  EXPECT_EQ(rendered("{{ 'héllo'[1:3] }}{{ [1,2,3,4][::-1] }}{{ [1,2,3][:-1] }}{{ 'abc'[::2] }}{{ 'abc'[-1] }}"),
            "él[4, 3, 2, 1][1, 2]acc");
  EXPECT_EQ(rendered("{{ {'a': 1}.get('b', 2) }}{{ {'a': 1}.items() }}{{ 'a' in {'a': 1} }}{{ 2 not in [1] }}"),
            "2dict_items([('a', 1)])TrueTrue");
  EXPECT_EQ(rendered("{{ messages | length }}{{ 'a' if 1 == 2 }}{{ 'b' if false else 'c' }}{{ (1, 2) | join('-') }}"),
            "2c1-2");
}

TEST(ChatTemplateTest, StatementsAndScopes) {
  EXPECT_EQ(rendered("{% for m in messages %}{{ loop.index }}{{ m.role }}{{ loop.last }} {% endfor %}"),
            "1userFalse 2assistantTrue ");
  EXPECT_EQ(rendered("{% set x = 1 %}{% for i in [1, 2] %}{% set x = x + 1 %}{{ x }}{% endfor %}{{ x }}"), "221");
  EXPECT_EQ(
      rendered("{% set ns = namespace(x=0) %}{% for i in range(3) %}{% set ns.x = ns.x + i %}{% endfor %}{{ ns.x }}"),
      "3");
  EXPECT_EQ(rendered("{% for k, v in {'a': 1, 'b': 2}.items() %}{{ k }}{{ v }}{% else %}none{% endfor %}"), "a1b2");
  EXPECT_EQ(rendered("{% for i in [1, 2, 3, 4] if i is even %}{{ i }}{{ loop.length }}{% else %}n{% endfor %}"),
            "2242");
  EXPECT_EQ(rendered("{% for i in [] %}{% else %}none{% endfor %}"), "none");
  EXPECT_EQ(rendered("{% for i in range(9) %}{% if i == 1 %}{% continue %}{% elif i == 3 %}{% break %}{% endif %}{{ i "
                     "}}{% endfor %}"),
            "02");
  EXPECT_EQ(rendered("{% macro f(a, b='x') %}[{{ a }}{{ b }}]{% endmacro %}{{ f(1) }}{{ f(1, b=2) }}{{ f(1, 3) }}"),
            "[1x][12][13]");
  EXPECT_EQ(rendered("{% set t %}a{{ 1 }}{% endset %}{{ t | upper }}{% set a, b = [1, 2] %}{{ b }}"), "A12");
  EXPECT_EQ(rendered("{% generation %}x{% endgeneration %}{{ bos_token }}{{ add_generation_prompt }}"), "x<s>True");
}

// What follows is as Jinja 3.1 prints it.
TEST(ChatTemplateTest, TestsTakeTheirArgumentWithoutBrackets) {
  EXPECT_EQ(rendered("{% set r = [1, 2] %}{{ 1 is in r }}{{ 3 is in r }}{{ 3 is not in r }}"), "TrueFalseTrue");
  EXPECT_EQ(rendered("{{ 1 is sameas true }}{{ true is sameas true }}{{ none is sameas none }}{{ 1.0 is sameas 1 }}"),
            "FalseTrueTrueFalse");
  EXPECT_EQ(rendered("{{ [1] is sameas [1] }}{% set q = [1] %}{{ q is sameas q }}"), "FalseTrue");
  EXPECT_EQ(rendered("{% set x = 'a' %}{{ 'a' is eq x }}{{ 'b' is ne x }}{{ 'b' is eq x or true }}{{ 'y' if 'a' is eq "
                     "x else 'n' }}"),
            "TrueTrueTruey");
  EXPECT_EQ(rendered("{% set x = {'k': [3]} %}{{ 3 is eq x.k[0] }}{{ 3 is in x['k'] }}{{ 'a' is in {'a': 1} }}"),
            "TrueTrueTrue");
  EXPECT_EQ(rendered("{{ 2 is divisibleby 2 and true }}{{ 1 is number and 2 is number }}"), "TrueTrue");
  EXPECT_EQ(rendered("{{ [1, 2, 3] | select('>', 1) | list }}{{ [{'a': 1}, {'a': 2}] | selectattr('a', '==', 2) | list "
                     "}}{{ [1, 2] | select('in', [2, 3]) | list }}"),
            "[2, 3][{'a': 2}][2]");
  EXPECT_NE(error_message([] { rendered("{{ 1 is odd is true }}"); }).find("a test of a test"), std::string::npos);
}

TEST(ChatTemplateTest, EveryNewlineIsOne) {
  EXPECT_EQ(rendered("a\r\nb\rc{% if true %}\r\nd{% endif %}\r\n"), "a\nb\ncd");
  EXPECT_EQ(rendered("{{ 'x\r\ny' | length }}{{ 'x\\r\\ny' | length }}"), "34");
  EXPECT_EQ(rendered("a\r\n  {% if true %}\r\nb\r\n  {% endif %}\r\nc"), "a\nb\nc");
}

TEST(ChatTemplateTest, TuplesAndViewsOfDictsAreNoLists) {
  EXPECT_EQ(rendered("{{ (1, 2) }}{{ (1,) }}{{ () }}{{ ('a', (1, [2])) }}"), "(1, 2)(1,)()('a', (1, [2]))");
  EXPECT_EQ(rendered("{{ {'a': 1}.items() }}{{ {'a': 1}.keys() }}{{ {'a': 1}.values() }}"),
            "dict_items([('a', 1)])dict_keys(['a'])dict_values([1])");
  EXPECT_EQ(rendered("{{ {'a': 1} | dictsort }}{{ {'a': 1}.items() | list }}{{ {'a': 1} | items | list }}"),
            "[('a', 1)][('a', 1)][('a', 1)]");
  EXPECT_EQ(rendered("{% set t = 1, 2 %}{{ t }}{{ t[0] }}{{ t[1:] }}{{ t + (3,) }}{{ t == [1, 2] }}{{ t == (1, 2) }}{{ "
                     "t | tojson }}"),
            "(1, 2)1(2,)(1, 2, 3)FalseTrue[1, 2]");
  EXPECT_EQ(rendered("{{ (1, 2) | list }}{{ (2, 1) | sort }}{{ [(2, 'b'), (1, 'c'), (1, 'a')] | sort }}"),
            "[1, 2][1, 2][(1, 'a'), (1, 'c'), (2, 'b')]");
  EXPECT_EQ(rendered("{{ [missing] }}{{ (1, 2) is sequence }}{{ 'a' in ('a', 'b') }}{{ ('a', 'b')[1] }}"),
            "[Undefined]TrueTrueb");
  EXPECT_NE(error_message([] { rendered("{{ (1, 2) + [3] }}"); }).find("a tuple + a list"), std::string::npos);
}

TEST(ChatTemplateTest, RoundIsPythons) {
  EXPECT_EQ(rendered("{{ 42.55 | round }}|{{ 42.55 | round(1) }}|{{ 42.55 | round(1, 'floor') }}|{{ 42.51 | round(1, "
                     "method='ceil') }}|{{ 42 | round }}|{{ 2.5 | round }}|{{ 3.5 | round }}|{{ 2.675 | round(2) }}|{{ "
                     "-2.5 | round }}"),
            "43.0|42.5|42.5|42.6|42|2.0|4.0|2.67|-2.0");
  EXPECT_EQ(rendered("{{ 1250 | round(-2) }}|{{ 1350 | round(-2) }}|{{ 1234.5 | round(-2) }}|{{ 7 | round(0, 'floor') "
                     "}}|{{ true | round }}|{{ 0.5 | round }}|{{ 1.5 | round | int }}"),
            "1200|1400|1200.0|7.0|1|0.0|2");
  EXPECT_NE(error_message([] { rendered("{{ 1 | round(0, 'up') }}"); }).find("known: common, ceil, floor"),
            std::string::npos);
}

TEST(ChatTemplateTest, NumbersAreWrittenAsInPython) {
  EXPECT_EQ(rendered("{{ 1e3 }}|{{ 1E-2 }}|{{ 1.5e+2 }}|{{ 1_000 }}|{{ 1_0.5_0 }}|{{ 0x1F }}|{{ 0o17 }}|{{ 0b101 }}|{{ "
                     "0 }}|{{ 00 }}|{{ 0.5e1 }}|{{ 0x_ff }}|{{ 1e16 }}|{{ 1e15 }}|{{ 1e-5 }}"),
            "1000.0|0.01|150.0|1000|10.5|31|15|5|0|0|5.0|255|1e+16|1000000000000000.0|1e-05");
  EXPECT_EQ(rendered("{% set a = [[5, 6]] %}{{ a.0.1 }}"), "6");
  EXPECT_NE(error_message([] { rendered("{{ 012 }}"); }), "no error");
}

// As Python's str.split and str.rsplit.
TEST(ChatTemplateTest, SplitsIntoWordsFromEitherEnd) {
  const auto parts = [](const std::string& call) {
    return rendered("{{ '  a b\x1c c  '." + call + ") | join('|') }}");
  };
  EXPECT_EQ(parts("split("), "a|b|c");
  EXPECT_EQ(parts("split(none, 0"), "a b\x1c c  ");
  EXPECT_EQ(parts("split(none, 1"), "a|b\x1c c  ");
  EXPECT_EQ(parts("split(none, 2"), "a|b|c  ");
  EXPECT_EQ(parts("split(none, 3"), "a|b|c");
  EXPECT_EQ(parts("rsplit(none, 0"), "  a b\x1c c");
  EXPECT_EQ(parts("rsplit(none, 1"), "  a b|c");
  EXPECT_EQ(parts("rsplit(none, 2"), "  a|b|c");
  EXPECT_EQ(parts("rsplit(none, 3"), "a|b|c");
  EXPECT_EQ(rendered(R"({{ 'a\r\nb\rc\n\nd\x0ce\u2028'.splitlines() | join('|') }})"), "a|b|c||d|e");
  EXPECT_EQ(rendered(R"({{ 'a\r\nb'.splitlines(true) | join('|') }})"), "a\r\n|b");
}

TEST(ChatTemplateTest, FiltersTestsAndMethods) {
  EXPECT_EQ(
      rendered("{{ '  a ' | trim }}{{ 'aXb'.split('X')[-1] }}{{ 'xxa'.lstrip('x') }}{{ 'a-b'.replace('-', '+') }}"),
      "aba"
      "a+b");
  EXPECT_EQ(
      rendered(
          "{{ 'abc'.startswith('ab') }}{{ 'abc'.endswith(('x', 'c')) }}{{ 'a b'.title() }}{{ 'ab c' | capitalize }}"),
      "TrueTrueA BAb c");
  EXPECT_EQ(
      rendered(
          "{{ missing | default('d') }}{{ '' | default('e', true) }}{{ [3, 1] | sort | first }}{{ [1, 2] | last }}"),
      "de12");
  EXPECT_EQ(rendered("{{ messages | selectattr('role', 'equalto', 'user') | map(attribute='content') | join(',') }}"),
            "Hi");
  EXPECT_EQ(
      rendered("{{ messages | rejectattr('role', 'eq', 'user') | list | length }}{{ [1, 2] | map('string') | list }}"),
      "1['1', '2']");
  EXPECT_EQ(
      rendered(
          "{{ 'a\\nb' | indent(2) }}{{ '5' | int + 1 }}{{ 2.5 | int }}{{ -3 | abs }}{{ {'b': 1, 'a': 2} | dictsort }}"),
      "a\n  b623[('a', 2), ('b', 1)]");
  EXPECT_EQ(rendered("{{ 1 is number }}{{ 'a' is string }}{{ messages is iterable }}{{ {} is mapping }}{{ none is none "
                     "}}{{ x is not defined }}"),
            "TrueTrueTrueTrueTrueTrue");
  EXPECT_EQ(rendered("{{ {'a': [1, 2.0], 'b': 'é\"<'} | tojson }}"), R"({"a": [1, 2.0], "b": "é\"<"})");
  EXPECT_EQ(rendered("{{ {'a': [1], 'b': {}} | tojson(indent=2) }}"), "{\n  \"a\": [\n    1\n  ],\n  \"b\": {}\n}");
}

TEST(ChatTemplateTest, ErrorsNameTheLine) {
  const auto message = [](const std::string& source) { return error_message([&] { rendered(source); }); };
  EXPECT_EQ(message("a\n{{ raise_exception('no such role') }}"), "t: line 2: no such role");
  EXPECT_EQ(message("\n{% if x %}"), "t: line 2: expected {% endif %}");
  EXPECT_EQ(message("{% include 'x' %}").substr(0, 45), "t: line 1: the statement \"include\" is unknown");
  EXPECT_EQ(message("{{ 'a"), "t: line 1: a string is not closed");
  EXPECT_EQ(message("{{ a.b.c }}"), "t: line 1: \"b\" of something undefined");
  EXPECT_EQ(message("{{ 1 + 'a' }}"), "t: line 1: an int + a string");
  EXPECT_EQ(message("{{ 1 | nothing }}"), "t: line 1: the filter nothing is unknown or does not take an int");
  EXPECT_EQ(message("{{ f() }}"), "t: line 1: f is undefined, no function");
  EXPECT_EQ(message("{% endif %}"), "t: line 1: \"endif\" closes nothing");
  EXPECT_EQ(message("{% set messages.x = 1 %}"), "t: line 1: messages is no namespace, so messages.x cannot be set");
  EXPECT_EQ(message("{{ 1 // 0 }}"), "t: line 1: division by zero");
}

TEST(ChatTemplateTest, CannotRunAway) {
  const auto refused = [](const std::string& source) { return error_message([&] { rendered(source); }) != "no error"; };
  EXPECT_TRUE(refused("{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}"));
  EXPECT_TRUE(refused("{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}"));
  EXPECT_TRUE(refused("{{ 'a' * 999999999999 }}"));
  EXPECT_TRUE(refused("{{ range(999999999999) }}"));
  EXPECT_TRUE(refused(
      "{% set ns = namespace(s='abcdefgh') %}{% for i in range(99) %}{% set ns.s = ns.s + ns.s %}{% endfor %}"));
  EXPECT_TRUE(
      refused("{% set ns = namespace(l=[1]) %}{% for i in range(200) %}{% set ns.l = [ns.l] %}{% endfor %}{{ ns.l }}"));
  // Work that makes nothing counts as well.
  for (const std::string work : {"s[0]", "s[1:2]", "s|first", "s|length", "s is string", "'b' in s"}) {
    EXPECT_TRUE(
        refused("{% set s = 'a' * 1000000 %}{% for i in range(9999) %}{% if " + work + " %}{% endif %}{% endfor %}"))
        << work;
  }
  for (const std::string work : {"-1 in l", "l|last"}) {
    EXPECT_TRUE(
        refused("{% set l = range(99999) %}{% for i in range(9999) %}{% if " + work + " %}{% endif %}{% endfor %}"))
        << work;
  }
  EXPECT_TRUE(refused("{{ " + std::string(100000, '(')));
  EXPECT_TRUE(refused("{{ a" + std::string(100000, '|') + " }}"));
  std::string sum = "{{ 1";
  for (int i = 0; i < 100000; ++i) sum += "+1";
  EXPECT_TRUE(refused(sum + " }}"));
  EXPECT_TRUE(refused("{{ 9223372036854775807 }}"));
}

TEST(ChatTemplateTest, ComesFromTheFilesOfAModel) {
  const test::TemporaryFolder folder;
  EXPECT_EQ(ChatTemplate::load(folder.path()), nullptr);
  write_file(
      folder / "tokenizer_config.json",
      R"({"bos_token": {"content": "<b>"}, "eos_token": "<e>", "chat_template": "{{ bos_token }}{{ messages[0].content }}{{ eos_token }}"})");
  const Json messages = Json::parse(R"([{"role": "user", "content": "Hi"}])");
  EXPECT_EQ(ChatTemplate::load(folder.path())->render(messages), "<b>Hi<e>");
  write_file(
      folder / "tokenizer_config.json",
      R"({"chat_template": [{"name": "default", "template": "d"}, {"name": "tool_use", "template": "{{ tools }}"}]})");
  EXPECT_EQ(ChatTemplate::load(folder.path())->render(messages), "d");
  EXPECT_EQ(ChatTemplate::load(folder.path(), "tool_use")->render(messages), "None");
  EXPECT_NE(error_message([&] { ChatTemplate::load(folder.path(), "x"); }).find("no template is named x"),
            std::string::npos);
  write_file(folder / "chat_template.jinja", "from the file");
  EXPECT_EQ(ChatTemplate::load(folder.path())->render(messages), "from the file");
  // Special tokens may stand in a file of their own.
  write_file(folder / "chat_template.jinja", "{{ bos_token }}{{ messages[0].content }}{{ sep_token }}{{ pad_token }}");
  write_file(folder / "special_tokens_map.json", R"({"bos_token": {"content": "<m>"}, "sep_token": "<s>"})");
  EXPECT_EQ(ChatTemplate::load(folder.path())->render(messages), "<m>Hi<s>");
}

}  // namespace chat_template_test
}  // namespace witan
