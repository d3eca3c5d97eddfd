// Chat templates, which come with downloaded models, on a short conversation.
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "fuzz/target.h"
#include "text/chat_template.h"

namespace witan::fuzz {
namespace chat_template_fuzz {

std::vector<std::string> seeds() {
  return {
      R"({%- macro show(x, y=1) %}{{ x ~ y }}{% endmacro -%}
{% for m in messages[::-1] if m.role != 'x' %}{{- loop.index0 + 1 }} {{ m['content'] | trim | upper }}
{%- if loop.first and not m.tool_calls is defined %}{{ show(m.content.split('a')[-1]) }}{% elif true %}{% else %}z{% endif %}
{% endfor %}{% set ns = namespace(a=[1, 2.5, {'k': none}]) %}{% set ns.a = ns.a + [range(3) | join(',')] %}{{ ns.a | tojson(indent=2) }})",
      "{{ 'a' * 3 if messages else raise_exception('no') }}{# c #}{% set a, b = 1, 2 %}{{ a // b % 2 ** 3 is odd }}",
      "{% set x %}{{ tools | selectattr('name', 'eq', 'f') | map(attribute='name') | list }}{% endset %}{{ x[1:-1:2] "
      "}}",
      "{% set t = (1, [2]), 0x1f\r\n%}{{ t[0] is in t or 1e3 | round(2, 'floor') is sameas 1_0.5e-1 }}{{ {'a': 12 | "
      "round(-3)}.items() | sort }}{{ t | select('<=', t) | list }}"};
}

void run(std::string_view input) {
  static const nlohmann::ordered_json messages = nlohmann::ordered_json::parse(
      R"([{"role": "user", "content": " a b\u00e9 "}, {"role": "assistant", "content": null, "tool_calls": [1]}])");
  static const nlohmann::ordered_json tools = nlohmann::ordered_json::parse(R"([{"name": "f", "n": [1, 2.5, true]}])");
  try {
    const ChatTemplate chat(input, "fuzz", {{"bos_token", "<s>"}});
    chat.render(messages, tools, true, nlohmann::ordered_json::object());
  } catch (const Error&) {
  }
}

}  // namespace chat_template_fuzz

Target chat_template_target() { return {"chat_template", chat_template_fuzz::seeds, chat_template_fuzz::run}; }

}  // namespace witan::fuzz
