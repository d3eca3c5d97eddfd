// How values are written: by print, and by json.dumps. A list of a few steps may be longer than memory when it is
// written, so each piece is charged before it is made.
#include <fmt/core.h>

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "text/template_budget.h"
#include "text/template_value.h"
#include "text/unicode.h"

namespace witan {
namespace {

class TemplateWriter {
 public:
  explicit TemplateWriter(TemplateBudget& budget) : budget_(budget) {}

  void add(std::string_view text) {
    budget_.charge(text.size());
    out_ += text;
  }
  void visit() { budget_.visit(); }
  std::string take() { return std::move(out_); }

 private:
  TemplateBudget& budget_;
  std::string out_;
};

std::string float_text(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value > 0 ? "inf" : "-inf";
  const std::string text = fmt::format("{}", value);
  return text.find_first_of(".e") == std::string::npos ? text + ".0" : text;
}

// \x1b, \u001b, \U0000001b.
std::string hex_escape(char letter, std::uint32_t code) {
  const int digits = letter == 'x' ? 2 : letter == 'u' ? 4 : 8;
  std::string text = {'\\', letter};
  for (int i = digits - 1; i >= 0; --i) text += "0123456789abcdef"[(code >> (4 * i)) & 0xF];
  return text;
}

// What stands for a character that is written otherwise in Python and in JSON; empty for others.
std::string common_escape(char c, char quote) {
  if (c == quote || c == '\\') return {'\\', c};
  if (c == '\n') return "\\n";
  if (c == '\r') return "\\r";
  return c == '\t' ? "\\t" : "";
}

// As repr writes what it takes for no printable character.
std::string python_escape(char32_t c, char quote) {
  if (c < 0x80) {
    std::string escape = common_escape(static_cast<char>(c), quote);
    if (!escape.empty()) return escape;
  }
  if (c == U' ' || !(is_white_space(c) || is_control_or_format(c))) return "";
  const auto code = static_cast<std::uint32_t>(c);
  return hex_escape(code < 0x100 ? 'x' : code < 0x10000 ? 'u' : 'U', code);
}

std::string json_escape(char32_t c, bool ascii) {
  if (c == U'\b') return "\\b";
  if (c == U'\f') return "\\f";
  if (c < 0x80) {
    std::string escape = common_escape(static_cast<char>(c), '"');
    if (!escape.empty()) return escape;
  }
  if (c >= 0x20 && (c < 0x7F || !ascii)) return "";
  const auto code = static_cast<std::uint32_t>(c);
  if (code < 0x10000) return hex_escape('u', code);
  const std::uint32_t rest = code - 0x10000;  // as two halves
  return hex_escape('u', 0xD800 + (rest >> 10)) + hex_escape('u', 0xDC00 + (rest & 0x3FF));
}

// `escape_of` moves past the character at a place, and says what stands for it; empty: itself.
template <class EscapeOf>
void write_quoted(std::string_view text, std::string_view quote, const EscapeOf& escape_of, TemplateWriter& out) {
  out.add(quote);
  std::size_t plain = 0;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t begin = at;
    const std::string escape = escape_of(at);
    if (escape.empty()) continue;
    out.add(text.substr(plain, begin - plain));
    out.add(escape);
    plain = at;
  }
  out.add(text.substr(plain));
  out.add(quote);
}

void write_python_text(const std::string& text, TemplateWriter& out) {
  const bool has_single = text.find('\'') != std::string::npos;
  const char quote = has_single && text.find('"') == std::string::npos ? '"' : '\'';
  write_quoted(
      text, {&quote, 1}, [&](std::size_t& at) { return python_escape(next_character(text, at), quote); }, out);
}

void write_python(const TemplateValue& value, TemplateWriter& out) {
  out.visit();
  if (const std::string* text = value.text()) {
    write_python_text(*text, out);
  } else if (const TemplateList* items = value.items()) {
    constexpr const char* kOpening[] = {"[", "(", "dict_keys([", "dict_values([", "dict_items(["};
    constexpr const char* kClosing[] = {"]", ")", "])", "])", "])"};
    const auto kind = static_cast<std::size_t>(value.sequence);
    out.add(kOpening[kind]);
    for (std::size_t i = 0; i < items->size(); ++i) {
      if (i > 0) out.add(", ");
      write_python((*items)[i], out);
    }
    if (value.sequence == TemplateSequence::kTuple && items->size() == 1) out.add(",");
    out.add(kClosing[kind]);
  } else if (const TemplateDict* fields = value.fields()) {
    out.add("{");
    for (std::size_t i = 0; i < fields->size(); ++i) {
      if (i > 0) out.add(", ");
      write_python_text((*fields)[i].first, out);
      out.add(": ");
      write_python((*fields)[i].second, out);
    }
    out.add("}");
  } else if (value.is_undefined()) {
    out.add("Undefined");
  } else if (value.is_none()) {
    out.add("None");
  } else if (const bool* truth = value.get<bool>()) {
    out.add(*truth ? "True" : "False");
  } else if (value.is_integer()) {
    out.add(fmt::format("{}", value.integer()));
  } else if (const double* number = value.get<double>()) {
    out.add(float_text(*number));
  } else {
    out.add("<function>");
  }
}

class JsonWriter {
 public:
  JsonWriter(const TemplateJsonStyle& style, TemplateBudget& budget) : style_(style), out_(budget) {}

  void write(const TemplateValue& value, int level = 0) {
    out_.visit();
    if (const std::string* text = value.text()) {
      write_text(*text);
    } else if (const TemplateList* items = value.items()) {
      out_.add("[");
      for (std::size_t i = 0; i < items->size(); ++i) {
        separate(i, level);
        write((*items)[i], level + 1);
      }
      if (!items->empty()) line(level);
      out_.add("]");
    } else if (const TemplateDict* fields = value.fields()) {
      write_fields(*fields, level);
    } else if (const bool* truth = value.get<bool>()) {
      out_.add(*truth ? "true" : "false");
    } else if (value.is_none()) {
      out_.add("null");
    } else if (value.is_integer()) {
      out_.add(fmt::format("{}", value.integer()));
    } else if (const double* number = value.get<double>()) {
      out_.add(std::isnan(*number)   ? "NaN"
               : std::isinf(*number) ? (*number > 0 ? "Infinity" : "-Infinity")
                                     : float_text(*number));
    } else {
      fail("tojson of {}", value.type_name());
    }
  }
  std::string take() { return out_.take(); }

 private:
  void line(int level) {
    if (!style_.indent) return;
    out_.add("\n");
    for (int i = 0; i < level; ++i) out_.add(*style_.indent);
  }
  void separate(std::size_t index, int level) {
    if (index > 0) out_.add(style_.item_separator);
    line(level + 1);
  }
  void write_text(const std::string& text) {
    write_quoted(
        text, "\"", [&](std::size_t& at) { return json_escape(next_character(text, at), style_.ascii); }, out_);
  }
  void write_fields(const TemplateDict& fields, int level) {
    std::vector<const TemplateDict::value_type*> entries;
    for (const auto& entry : fields) entries.push_back(&entry);
    if (style_.sorted)
      std::ranges::stable_sort(entries, {}, [](const auto* entry) -> std::string_view { return entry->first; });
    out_.add("{");
    for (std::size_t i = 0; i < entries.size(); ++i) {
      separate(i, level);
      write_text(entries[i]->first);
      out_.add(style_.key_separator);
      write(entries[i]->second, level + 1);
    }
    if (!entries.empty()) line(level);
    out_.add("}");
  }

  const TemplateJsonStyle& style_;
  TemplateWriter out_;
};

}  // namespace

std::string printed(const TemplateValue& value, TemplateBudget& budget) {
  if (const std::string* text = value.text()) return *text;
  if (value.is_undefined()) return "";
  TemplateWriter out(budget);
  write_python(value, out);
  return out.take();
}

std::string json_text(const TemplateValue& value, const TemplateJsonStyle& style, TemplateBudget& budget) {
  JsonWriter writer(style, budget);
  writer.write(value);
  return writer.take();
}

}  // namespace witan
