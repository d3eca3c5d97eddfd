// Small functions by name. Names come from the template, so each is looked up when it is met.
#include "text/template_builtins.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

#include "base/error.h"
#include "text/template_strings.h"
#include "text/unicode.h"

namespace witan {
namespace {

using Arguments = TemplateArguments;

const TemplateValue* argument(const Arguments& arguments, std::size_t index, std::string_view name) {
  if (index < arguments.positional.size()) return &arguments.positional[index];
  for (const auto& [key, value] : arguments.named) {
    if (key == name) return &value;
  }
  return nullptr;
}

const std::string& text_of(const TemplateValue& value, const char* what) {
  if (value.text() == nullptr) fail("{} wants a string, not {}", what, value.type_name());
  return *value.text();
}

std::string required_text(const Arguments& arguments, std::size_t index, std::string_view name, const char* what) {
  const TemplateValue* value = argument(arguments, index, name);
  if (value == nullptr) fail("{} needs an argument", what);
  return text_of(*value, what);
}

bool flag_argument(const Arguments& arguments, std::size_t index, std::string_view name, bool otherwise) {
  const TemplateValue* value = argument(arguments, index, name);
  return value == nullptr ? otherwise : value->truth();
}

std::int64_t integer_argument(const Arguments& arguments, std::size_t index, std::string_view name,
                              std::int64_t otherwise) {
  const TemplateValue* value = argument(arguments, index, name);
  if (value == nullptr || value->is_none()) return otherwise;
  if (!value->is_integer()) fail("{} is to be a whole number, not {}", name, value->type_name());
  return value->integer();
}

std::string replaced_text(std::string_view text, const Arguments& arguments, TemplateBudget& budget) {
  const std::string from = required_text(arguments, 0, "old", "replace");
  const std::string to = required_text(arguments, 1, "new", "replace");
  std::int64_t most = integer_argument(arguments, 2, "count", -1);
  std::string result;
  std::size_t done = 0;
  while (most != 0) {
    const std::size_t found = find_text(text, from, done);
    if (found == std::string_view::npos || found > text.size()) break;
    result += text.substr(done, found - done);
    result += to;
    budget.charge(to.size() + 1);
    done = found + from.size();
    --most;
    if (!from.empty()) continue;
    if (done >= text.size()) break;
    std::size_t next = done;  // an empty text stands between all characters
    next_character(text, next);
    result += text.substr(done, next - done);
    done = next;
  }
  if (done < text.size()) result += text.substr(done);
  return result;
}

TemplateValue list_of(const std::vector<std::string>& parts) {
  return TemplateValue::list({parts.begin(), parts.end()});
}

TemplateValue split(const std::string& text, const Arguments& arguments, bool from_right, TemplateBudget& budget) {
  const TemplateValue* separator = argument(arguments, 0, "sep");
  const std::int64_t most = integer_argument(arguments, 1, "maxsplit", -1);
  if (separator == nullptr || separator->is_none()) return list_of(split_words(text, most, from_right, budget));
  return list_of(split_at(text, text_of(*separator, "split"), most, from_right, budget));
}

// Off both ends, one or the other: characters of the argument, white space when there is none.
std::string stripped(std::string_view text, const Arguments& arguments, bool left, bool right) {
  const TemplateValue* set = argument(arguments, 0, "chars");
  if (set == nullptr || set->is_none()) return strip_space(text, left, right);
  return strip_characters(text, text_of(*set, "strip"), left, right);
}

// Whether the text begins (ends) with the argument, or with one of a list.
bool has_affix(const std::string& text, const Arguments& arguments, bool at_end, TemplateBudget& budget) {
  const TemplateValue* given = argument(arguments, 0, "prefix");
  if (given == nullptr) fail("{} needs an argument", at_end ? "endswith" : "startswith");
  const auto fits = [&](const TemplateValue& one) {
    const std::string& affix = text_of(one, at_end ? "endswith" : "startswith");
    budget.visit();
    budget.charge(std::min(affix.size(), text.size()));
    return at_end ? text.ends_with(affix) : text.starts_with(affix);
  };
  return given->items() != nullptr ? std::ranges::any_of(*given->items(), fits) : fits(*given);
}

std::string joined(const TemplateList& items, const std::string& separator, TemplateBudget& budget) {
  std::string result;
  for (std::size_t i = 0; i < items.size(); ++i) {
    const std::string part = printed(items[i], budget);
    budget.charge(part.size() + separator.size());
    if (i > 0) result += separator;
    result += part;
  }
  return result;
}

// The field of each item that `attribute` names; "a.b" goes deeper.
TemplateValue attribute_of(const TemplateValue& item, std::string_view attribute, TemplateBudget& budget) {
  const TemplateValue* value = &item;
  while (value != nullptr) {
    const std::size_t dot = attribute.find('.');
    value = value->field(attribute.substr(0, dot), budget);
    if (dot == std::string_view::npos) break;
    attribute.remove_prefix(dot + 1);
  }
  return value == nullptr ? TemplateValue() : *value;
}

Arguments tail(const Arguments& arguments, std::size_t skip) {
  Arguments rest = arguments;
  rest.positional.erase(rest.positional.begin(),
                        rest.positional.begin() + static_cast<std::ptrdiff_t>(std::min(skip, rest.positional.size())));
  return rest;
}

// What a filter or a test of each item goes through.
void charge_item(const TemplateValue& item, TemplateBudget& budget) {
  budget.visit();
  if (item.text() != nullptr) budget.charge(item.text()->size());
}

// select, reject, selectattr, rejectattr.
TemplateValue selected(const std::string& name, const TemplateValue& value, const Arguments& arguments,
                       TemplateBudget& budget) {
  const bool keeps = name.starts_with("select");
  const bool by_attribute = name.ends_with("attr");
  const std::string attribute = by_attribute ? required_text(arguments, 0, "", name.c_str()) : "";
  const std::size_t test = by_attribute ? 1 : 0;
  const bool has_test = arguments.positional.size() > test;
  const Arguments rest = tail(arguments, test + 1);
  TemplateList items;
  for (const TemplateValue& item : template_items(value, budget)) {
    const TemplateValue tested = by_attribute ? attribute_of(item, attribute, budget) : item;
    charge_item(tested, budget);
    const bool fits =
        has_test ? apply_test(text_of(arguments.positional[test], name.c_str()), tested, rest, budget) : tested.truth();
    if (fits == keeps) items.push_back(item);
  }
  return TemplateValue::list(std::move(items));
}

TemplateValue mapped(const TemplateValue& value, const Arguments& arguments, TemplateBudget& budget) {
  TemplateList items;
  const TemplateValue* attribute = arguments.positional.empty() ? argument(arguments, 0, "attribute") : nullptr;
  const TemplateValue* otherwise = argument(arguments, 99, "default");
  const Arguments rest = tail(arguments, 1);
  for (const TemplateValue& item : template_items(value, budget)) {
    if (attribute == nullptr) {
      charge_item(item, budget);
      items.push_back(apply_filter(required_text(arguments, 0, "", "map"), item, rest, budget));
      charge_item(items.back(), budget);
      continue;
    }
    const TemplateValue found = attribute_of(item, text_of(*attribute, "map"), budget);
    items.push_back(found.is_undefined() && otherwise != nullptr ? *otherwise : found);
  }
  return TemplateValue::list(std::move(items));
}

TemplateList pairs_of(const TemplateDict& fields, TemplateBudget& budget) {
  TemplateList pairs;
  for (const auto& [key, field] : fields) {
    budget.visit(6);  // a list of two values, one of them a text of its own
    budget.charge(key.size());
    pairs.push_back(TemplateValue::list({key, field}, TemplateSequence::kTuple));
  }
  return pairs;
}

TemplateValue sorted(const TemplateValue& value, const Arguments& arguments, bool is_dict, TemplateBudget& budget) {
  const bool reversed = flag_argument(arguments, is_dict ? 2 : 0, "reverse", false);
  const TemplateValue* attribute = is_dict ? nullptr : argument(arguments, 2, "attribute");
  const TemplateValue* by = is_dict ? argument(arguments, 1, "by") : nullptr;
  const bool by_value = by != nullptr && by->text() != nullptr && *by->text() == "value";
  const bool case_sensitive = flag_argument(arguments, is_dict ? 0 : 1, "case_sensitive", false);
  TemplateList items = is_dict ? TemplateList() : template_items(value, budget);
  if (is_dict) {
    if (value.fields() == nullptr) fail("dictsort wants a dict, not {}", value.type_name());
    items = pairs_of(*value.fields(), budget);
  }
  const auto key_of = [&](const TemplateValue& item) -> TemplateValue {
    TemplateValue key = is_dict
                            ? (*item.items())[by_value ? 1 : 0]
                            : (attribute != nullptr ? attribute_of(item, text_of(*attribute, "sort"), budget) : item);
    if (case_sensitive || key.text() == nullptr) return key;
    charge_item(key, budget);
    return lower_case(*key.text());
  };
  std::vector<std::pair<TemplateValue, TemplateValue>> keyed;  // key, item
  for (const TemplateValue& item : items) keyed.emplace_back(key_of(item), item);
  std::ranges::stable_sort(keyed, [&](const auto& a, const auto& b) {
    return reversed ? compare(b.first, a.first, budget) < 0 : compare(a.first, b.first, budget) < 0;
  });
  for (std::size_t i = 0; i < items.size(); ++i) items[i] = std::move(keyed[i].second);
  return TemplateValue::list(std::move(items));
}

std::string indented(const std::string& text, const Arguments& arguments, TemplateBudget& budget) {
  const TemplateValue* width = argument(arguments, 0, "width");
  const std::int64_t count =
      width != nullptr && width->is_integer() ? std::clamp<std::int64_t>(width->integer(), 0, 1000) : 4;
  const std::string blank =
      width != nullptr && width->text() != nullptr ? *width->text() : std::string(static_cast<std::size_t>(count), ' ');
  const bool first = flag_argument(arguments, 1, "first", false);
  const bool empty_lines = flag_argument(arguments, 2, "blank", false);
  std::string result;
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    budget.charge(blank.size());
    if (begin == 0 ? first : (end > begin || empty_lines)) result += blank;
    result += text.substr(begin, end - begin);
    if (end < text.size()) result += '\n';
    begin = end + 1;
  }
  return result;
}

TemplateValue to_integer(const TemplateValue& value, std::int64_t otherwise) {
  if (value.get<double>() != nullptr) {
    const double number = std::trunc(value.number());
    return std::abs(number) < 9e18 ? static_cast<std::int64_t>(number) : otherwise;
  }
  if (value.is_number()) return value.integer();
  if (value.text() == nullptr) return otherwise;
  const std::string text = strip_space(*value.text(), true, true);
  double number = 0.0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || !(std::abs(number) < 9e18)) return otherwise;
  std::int64_t whole = 0;
  const auto exact = std::from_chars(text.data(), text.data() + text.size(), whole);
  return exact.ec == std::errc() && exact.ptr == text.data() + text.size() ? whole : static_cast<std::int64_t>(number);
}

TemplateValue to_float(const TemplateValue& value) {
  if (value.is_number()) return value.number();
  double number = 0.0;
  if (value.text() != nullptr) {
    const std::string text = strip_space(*value.text(), true, true);
    std::from_chars(text.data(), text.data() + text.size(), number);
  }
  return number;
}

// Python's round for "common"; the other methods always make a float.
TemplateValue rounded(const TemplateValue& value, const Arguments& arguments) {
  const std::int64_t precision = std::clamp<std::int64_t>(integer_argument(arguments, 0, "precision", 0), -300, 300);
  const TemplateValue* given = argument(arguments, 1, "method");
  const std::string method = given == nullptr ? "common" : text_of(*given, "round");
  if (method == "ceil" || method == "floor") {
    const double scale = std::pow(10.0, static_cast<double>(precision));
    const double scaled = value.number() * scale;
    return (method == "ceil" ? std::ceil(scaled) : std::floor(scaled)) / scale;
  }
  if (method != "common") fail("round: the method {} is unknown (known: common, ceil, floor)", method);
  const bool whole = value.get<double>() == nullptr;
  if (precision >= 0) {
    if (whole) return value.integer();
    // The decimal nearest to the exact value, ties to even: 2.675 is a little less than it looks.
    const std::string text = fmt::format("{:.{}f}", value.number(), precision);
    double number = 0.0;
    std::from_chars(text.data(), text.data() + text.size(), number);
    return number;
  }
  const long double scale = std::pow(10.0L, static_cast<long double>(-precision));
  const long double result = std::nearbyint(static_cast<long double>(value.number()) / scale) * scale;
  if (!whole) return static_cast<double>(result);
  if (std::abs(result) > 9e18L) fail("the result of round is too large");
  return static_cast<std::int64_t>(result);
}

std::string escaped_html(std::string_view text, TemplateBudget& budget) {
  std::string result;
  for (const char c : text) {
    const std::string_view special = "&<>\"'";
    constexpr std::array<const char*, 5> kNames = {"&amp;", "&lt;", "&gt;", "&#34;", "&#39;"};
    const std::size_t found = special.find(c);
    if (found == std::string_view::npos) {
      result += c;
    } else {
      budget.charge(5);
      result += kNames[found];
    }
  }
  return result;
}

TemplateValue dict_items(const TemplateValue& value, TemplateBudget& budget) {
  if (value.fields() == nullptr) fail("items of {}", value.type_name());
  return TemplateValue::list(pairs_of(*value.fields(), budget), TemplateSequence::kItems);
}

TemplateValue extreme(const TemplateValue& value, int sign, TemplateBudget& budget) {
  const TemplateList items = template_items(value, budget);
  if (items.empty()) return {};
  return *std::ranges::min_element(
      items, [&](const TemplateValue& a, const TemplateValue& b) { return sign * compare(a, b, budget) < 0; });
}

TemplateValue summed(const TemplateValue& value, const Arguments& arguments, TemplateBudget& budget) {
  const TemplateValue* attribute = argument(arguments, 0, "attribute");
  const TemplateValue* start = argument(arguments, 1, "start");
  TemplateList items = template_items(value, budget);
  if (attribute != nullptr && !attribute->is_none()) {
    for (TemplateValue& item : items) item = attribute_of(item, text_of(*attribute, "sum"), budget);
  }
  TemplateValue total = start == nullptr ? TemplateValue(std::int64_t{0}) : *start;
  items.insert(items.begin(), std::exchange(total, std::int64_t{0}));
  for (const TemplateValue& item : items) {
    if (!item.is_number()) fail("sum of {}", item.type_name());
    std::int64_t whole = 0;
    if (total.get<double>() != nullptr || item.get<double>() != nullptr) {
      total = total.number() + item.number();
    } else if (!__builtin_add_overflow(total.integer(), item.integer(), &whole)) {
      total = whole;
    } else {
      fail("the result of sum is too large");
    }
  }
  return total;
}

// batch: lists of so many items; slice: so many lists. The last ones, being shorter, are filled with the second
// argument, if there is one.
TemplateValue parted(const TemplateValue& value, const Arguments& arguments, bool is_batch, TemplateBudget& budget) {
  const TemplateList items = template_items(value, budget);
  const std::int64_t given = integer_argument(arguments, 0, is_batch ? "linecount" : "slices", 0);
  if (given < 1) fail("{} wants a whole number from 1", is_batch ? "batch" : "slice");
  const auto number = static_cast<std::size_t>(given);
  const TemplateValue* fill = argument(arguments, 1, "fill_with");
  const bool fills = fill != nullptr && !fill->is_none();
  const std::size_t parts = is_batch ? items.size() / number + (items.size() % number != 0 ? 1 : 0) : number;
  const std::size_t longer = items.size() % number;
  TemplateList lists;
  for (std::size_t i = 0, begin = 0; i < parts; ++i) {
    const std::size_t size =
        is_batch ? std::min(number, items.size() - begin) : items.size() / number + (i < longer ? 1 : 0);
    const std::size_t filled = !fills ? 0 : is_batch ? number - size : (i < longer ? 0 : 1);
    budget.visit(3);  // a list of its own
    budget.visit(filled);
    const auto first = items.begin() + static_cast<std::ptrdiff_t>(begin);
    TemplateList part(first, first + static_cast<std::ptrdiff_t>(size));
    part.insert(part.end(), filled, fills ? *fill : TemplateValue());
    lists.push_back(TemplateValue::list(std::move(part)));
    begin += size;
  }
  return TemplateValue::list(std::move(lists));
}

// tojson(value, ensure_ascii=False, indent=None, separators=None, sort_keys=False), as Transformers defines it.
std::string dumped_json(const TemplateValue& value, const Arguments& arguments, TemplateBudget& budget) {
  constexpr std::array<std::string_view, 4> kNames = {"ensure_ascii", "indent", "separators", "sort_keys"};
  if (arguments.positional.size() > kNames.size()) fail("tojson takes at most {} arguments", kNames.size());
  for (const auto& [name, given] : arguments.named) {
    const auto known = static_cast<std::size_t>(std::ranges::find(kNames, name) - kNames.begin());
    if (known == kNames.size()) {
      fail("tojson has no argument {} (known: ensure_ascii, indent, separators, sort_keys)", name);
    }
    if (known < arguments.positional.size()) fail("tojson: the argument {} is given twice", name);
  }
  TemplateJsonStyle style;
  style.ascii = flag_argument(arguments, 0, kNames[0], false);
  style.sorted = flag_argument(arguments, 3, kNames[3], false);
  const TemplateValue* indent = argument(arguments, 1, kNames[1]);
  if (indent != nullptr && !indent->is_none()) {
    if (indent->text() == nullptr && (!indent->is_number() || indent->get<double>() != nullptr)) {
      fail("tojson: indent is to be a whole number, a string or none, not {}", indent->type_name());
    }
    const auto blanks =
        static_cast<std::size_t>(indent->text() != nullptr ? 0 : std::max<std::int64_t>(indent->integer(), 0));
    budget.charge(blanks);
    style.indent = indent->text() != nullptr ? *indent->text() : std::string(blanks, ' ');
    style.item_separator = ",";
  }
  const TemplateValue* separators = argument(arguments, 2, kNames[2]);
  if (separators != nullptr && !separators->is_none()) {
    const TemplateList both = template_items(*separators, budget);
    if (both.size() != 2 || both[0].text() == nullptr || both[1].text() == nullptr) {
      fail("tojson: separators are to be two strings");
    }
    style.item_separator = *both[0].text();
    style.key_separator = *both[1].text();
  }
  return json_text(value, style, budget);
}

constexpr std::array<std::string_view, 20> kTextMethods = {
    "strip",    "lstrip", "rstrip",       "split",        "rsplit",     "splitlines", "startswith",
    "endswith", "upper",  "lower",        "title",        "capitalize", "replace",    "join",
    "find",     "count",  "removeprefix", "removesuffix", "isdigit",    "rfind"};
constexpr std::array<std::string_view, 4> kDictMethods = {"items", "keys", "values", "get"};

}  // namespace

TemplateValue apply_filter(const std::string& name, const TemplateValue& value, const Arguments& arguments,
                           TemplateBudget& budget) {
  if (name == "trim") return stripped(printed(value, budget), arguments, true, true);
  if (name == "length" || name == "count") return static_cast<std::int64_t>(template_length(value));
  if (name == "upper" || name == "lower") return cased(printed(value, budget), name == "upper");
  if (name == "title" || name == "capitalize") return capitalized(printed(value, budget), name == "title");
  if (name == "string") return printed(value, budget);
  if (name == "safe") return value;
  if (name == "escape" || name == "e") return escaped_html(printed(value, budget), budget);
  if (name == "default" || name == "d") {
    const bool missing = value.is_undefined() || (flag_argument(arguments, 1, "boolean", false) && !value.truth());
    const TemplateValue* otherwise = argument(arguments, 0, "default_value");
    return missing ? (otherwise == nullptr ? TemplateValue(std::string()) : *otherwise) : value;
  }
  if (name == "tojson") return dumped_json(value, arguments, budget);
  if (name == "join") {
    TemplateList items = template_items(value, budget);
    if (const TemplateValue* attribute = argument(arguments, 1, "attribute")) {
      for (TemplateValue& item : items) item = attribute_of(item, text_of(*attribute, "join"), budget);
    }
    const TemplateValue* separator = argument(arguments, 0, "d");
    return joined(items, separator == nullptr ? "" : printed(*separator, budget), budget);
  }
  if (name == "replace") {
    return replaced_text(printed(value, budget), arguments, budget);
  }
  if (name == "format") {
    return formatted(printed(value, budget), TemplateValue::list(arguments.positional, TemplateSequence::kTuple),
                     budget);
  }
  if (name == "indent") return indented(printed(value, budget), arguments, budget);
  if (name == "first" || name == "last") {
    if (const std::string* text = value.text()) {
      const std::size_t size = count_characters(*text);
      return size == 0 ? TemplateValue() : template_character(*text, name == "first" ? 0 : size - 1);
    }
    const TemplateList items = template_items(value, budget);
    return items.empty() ? TemplateValue() : name == "first" ? items.front() : items.back();
  }
  if (name == "list") return TemplateValue::list(template_items(value, budget));
  if (name == "items") return value.is_undefined() ? TemplateValue::list({}) : dict_items(value, budget);
  if (name == "sort" || name == "dictsort") return sorted(value, arguments, name == "dictsort", budget);
  if (name == "reverse") {
    TemplateList items = template_items(value, budget);
    std::ranges::reverse(items);
    if (value.text() != nullptr) return joined(items, "", budget);
    return TemplateValue::list(std::move(items));
  }
  if (name == "unique") {
    TemplateList items;
    for (const TemplateValue& item : template_items(value, budget)) {
      budget.step();
      if (std::ranges::none_of(items, [&](const TemplateValue& one) { return equal(one, item, budget); }))
        items.push_back(item);
    }
    return TemplateValue::list(std::move(items));
  }
  if (name == "map") return mapped(value, arguments, budget);
  if (name == "select" || name == "reject" || name == "selectattr" || name == "rejectattr") {
    return selected(name, value, arguments, budget);
  }
  if (name == "int") return to_integer(value, integer_argument(arguments, 0, "default", 0));
  if (name == "float") return to_float(value);
  if (name == "abs" && value.is_number()) {
    if (value.get<double>() != nullptr) return std::abs(value.number());
    if (value.integer() == INT64_MIN) fail("abs: the number is too large");
    return std::abs(value.integer());
  }
  if (name == "round" && value.is_number()) return rounded(value, arguments);
  if (name == "min" || name == "max") return extreme(value, name == "min" ? 1 : -1, budget);
  if (name == "sum") return summed(value, arguments, budget);
  if (name == "batch" || name == "slice") return parted(value, arguments, name == "batch", budget);
  if (name == "wordcount") return count_words(printed(value, budget));
  fail("the filter {} is unknown or does not take {}", name, value.type_name());
}

bool apply_test(const std::string& name, const TemplateValue& value, const Arguments& arguments,
                TemplateBudget& budget) {
  const auto other = [&]() -> const TemplateValue& {
    if (arguments.positional.empty()) fail("the test {} needs an argument", name);
    return arguments.positional[0];
  };
  if (name == "defined") return !value.is_undefined();
  if (name == "undefined") return value.is_undefined();
  if (name == "none") return value.is_none();
  if (name == "string") return value.text() != nullptr;
  if (name == "boolean") return value.get<bool>() != nullptr;
  if (name == "true" || name == "false") return value.get<bool>() != nullptr && value.truth() == (name == "true");
  if (name == "integer") return value.is_integer();
  if (name == "float") return value.get<double>() != nullptr;
  if (name == "number") return value.is_number();
  if (name == "mapping") return value.fields() != nullptr;
  if (name == "sequence") return value.text() != nullptr || value.fields() != nullptr || value.has_places();
  if (name == "iterable") {
    return value.items() != nullptr || value.text() != nullptr || value.fields() != nullptr || value.is_undefined();
  }
  if (name == "callable") return value.callable() != nullptr;
  if (name == "odd" || name == "even") {
    if (!value.is_number()) fail("the test {} wants a number, not {}", name, value.type_name());
    return (value.integer() % 2 != 0) == (name == "odd");
  }
  if (name == "divisibleby") {
    if (!value.is_integer() || !other().is_integer() || other().integer() == 0) fail("divisibleby wants whole numbers");
    return other().integer() == -1 || value.integer() % other().integer() == 0;
  }
  if (name == "eq" || name == "equalto" || name == "==") return equal(value, other(), budget);
  if (name == "sameas") return is_same(value, other(), budget);
  if (name == "ne" || name == "!=") return !equal(value, other(), budget);
  if (name == "lt" || name == "lessthan" || name == "<") return compare(value, other(), budget) < 0;
  if (name == "le" || name == "<=") return compare(value, other(), budget) <= 0;
  if (name == "gt" || name == "greaterthan" || name == ">") return compare(value, other(), budget) > 0;
  if (name == "ge" || name == ">=") return compare(value, other(), budget) >= 0;
  if (name == "in") return template_contains(other(), value, budget);
  if (name == "lower" || name == "upper")
    return printed(value, budget) == cased(printed(value, budget), name == "upper");
  fail("the test {} is unknown", name);
}

bool has_method(const TemplateValue& value, std::string_view name) {
  if (value.text() != nullptr) return std::ranges::find(kTextMethods, name) != kTextMethods.end();
  return value.fields() != nullptr && !value.is_namespace &&
         std::ranges::find(kDictMethods, name) != kDictMethods.end();
}

TemplateValue call_method(const TemplateValue& value, const std::string& name, const Arguments& arguments,
                          TemplateBudget& budget) {
  if (const TemplateDict* fields = value.fields()) {
    if (name == "items") return dict_items(value, budget);
    if (name == "keys") return TemplateValue::list(template_items(value, budget), TemplateSequence::kKeys);
    if (name == "values") {
      TemplateList values;
      budget.visit(fields->size());
      for (const auto& [key, field] : *fields) values.push_back(field);
      return TemplateValue::list(std::move(values), TemplateSequence::kValues);
    }
    const TemplateValue* key = argument(arguments, 0, "key");
    const TemplateValue* otherwise = argument(arguments, 1, "default");
    const TemplateValue* found = key != nullptr && key->text() != nullptr ? value.field(*key->text(), budget) : nullptr;
    return found != nullptr ? *found : otherwise != nullptr ? *otherwise : TemplateValue::none();
  }
  const std::string& text = *value.text();
  budget.charge(text.size());
  if (name == "strip" || name == "lstrip" || name == "rstrip") {
    return stripped(text, arguments, name != "rstrip", name != "lstrip");
  }
  if (name == "split" || name == "rsplit") return split(text, arguments, name == "rsplit", budget);
  if (name == "splitlines") return list_of(split_lines(text, flag_argument(arguments, 0, "keepends", false), budget));
  if (name == "startswith" || name == "endswith") return has_affix(text, arguments, name == "endswith", budget);
  if (name == "upper" || name == "lower") return cased(text, name == "upper");
  if (name == "title" || name == "capitalize") return capitalized(text, name == "title");
  if (name == "replace") {
    return replaced_text(text, arguments, budget);
  }
  if (name == "join") {
    const TemplateValue* items = argument(arguments, 0, "iterable");
    if (items == nullptr) fail("join needs an argument");
    return joined(template_items(*items, budget), text, budget);
  }
  if (name == "isdigit") return !text.empty() && std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
  const std::string part = required_text(arguments, 0, "sub", name.c_str());
  if (name == "find" || name == "rfind") {
    const std::size_t found = name == "find" ? find_text(text, part) : find_last_text(text, part);
    return found == std::string::npos
               ? std::int64_t{-1}
               : static_cast<std::int64_t>(count_characters(std::string_view(text).substr(0, found)));
  }
  if (name == "count") {
    std::int64_t times = 0;
    if (part.empty()) return static_cast<std::int64_t>(count_characters(text)) + 1;
    for (std::size_t at = find_text(text, part); at != std::string::npos;
         at = find_text(text, part, at + part.size())) {
      ++times;
    }
    return times;
  }
  if (name == "removeprefix") return text.starts_with(part) ? text.substr(part.size()) : text;
  return text.ends_with(part) ? text.substr(0, text.size() - part.size()) : text;  // removesuffix
}

}  // namespace witan
