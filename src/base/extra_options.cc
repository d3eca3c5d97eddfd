// Declaring and reading the options of table entries.
#include "base/extra_options.h"

#include <algorithm>

#include "base/error.h"

namespace witan {
namespace {

bool same_declaration(const ExtraOption& a, const ExtraOption& b) {
  return a.value == b.value && a.help == b.help && a.minimum == b.minimum && a.maximum == b.maximum &&
         a.choices == b.choices;
}

// A bound as an integer; an infinite one becomes the widest.
std::int64_t integer_bound(double bound) {
  if (bound == -std::numeric_limits<double>::infinity()) return std::numeric_limits<std::int64_t>::min();
  if (bound == std::numeric_limits<double>::infinity()) return std::numeric_limits<std::int64_t>::max();
  return static_cast<std::int64_t>(bound);
}

}  // namespace

ExtraOptions& ExtraOptions::operator=(const ExtraOptions& other) {
  if (this == &other) return *this;
  if (options_.size() == other.options_.size()) {
    std::copy(other.options_.begin(), other.options_.end(), options_.begin());
  } else {
    options_ = other.options_;
  }
  return *this;
}

void ExtraOptions::declare(const ExtraOption& option) {
  const auto found = std::find_if(options_.begin(), options_.end(),
                                  [&](const ExtraOption& known) { return known.name == option.name; });
  if (found == options_.end()) {
    options_.push_back(option);
  } else {
    WITAN_ASSERT(same_declaration(*found, option));
  }
}

void ExtraOptions::add_to(Fields& fields) {
  for (ExtraOption& option : options_) {
    if (bool* const flag = std::get_if<bool>(&option.value)) {
      fields.flag(option.name, *flag, option.help);
    } else if (std::int64_t* const integer = std::get_if<std::int64_t>(&option.value)) {
      fields.integer(option.name, *integer, integer_bound(option.minimum), integer_bound(option.maximum), option.help);
    } else if (double* const real = std::get_if<double>(&option.value)) {
      fields.real(option.name, *real, option.minimum, option.maximum, option.help);
    } else if (option.choices.empty()) {
      fields.text(option.name, std::get<std::string>(option.value), option.help);
    } else {
      fields.choice(option.name, std::get<std::string>(option.value), option.choices, option.help);
    }
  }
}

template <class T>
const T& ExtraOptions::get(std::string_view name) const {
  const auto found =
      std::find_if(options_.begin(), options_.end(), [&](const ExtraOption& option) { return option.name == name; });
  WITAN_ASSERT(found != options_.end());
  const T* const value = std::get_if<T>(&found->value);
  WITAN_ASSERT(value != nullptr);
  return *value;
}

bool ExtraOptions::flag(std::string_view name) const { return get<bool>(name); }
std::int64_t ExtraOptions::integer(std::string_view name) const { return get<std::int64_t>(name); }
double ExtraOptions::real(std::string_view name) const { return get<double>(name); }
const std::string& ExtraOptions::text(std::string_view name) const { return get<std::string>(name); }

}  // namespace witan
