// Options that belong to one entry of a table (one router, one gate) and are declared in its file. Not the common
// options, which are plain members of an options struct.
#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/config.h"

namespace witan {

struct ExtraOption {
  std::string name;                                             // as a config key, unique among all options
  std::variant<bool, std::int64_t, double, std::string> value;  // the default; its type is the option's type
  std::string help;
  double minimum = -std::numeric_limits<double>::infinity();
  double maximum = std::numeric_limits<double>::infinity();
  std::vector<std::string> choices = {};  // of a string; empty: any
};

// The values of a set of such options. Copies are independent. Assignment keeps the place of every value, so that
// fields go on referring to it: whoever fills a whole config (a preset) does so after its flags were made.
class ExtraOptions {
 public:
  ExtraOptions() = default;
  ExtraOptions(const ExtraOptions&) = default;
  ExtraOptions& operator=(const ExtraOptions& other);  // there is no moving, which would take the places along
  ~ExtraOptions() = default;

  // Entries may share an option: the same declaration again is ignored, a different one under that name is a Bug.
  void declare(const ExtraOption& option);
  // Adds a field for each option; `fields` refers into this object.
  void add_to(Fields& fields);

  // The present value. Bug when the option was never declared or has another type.
  bool flag(std::string_view name) const;
  std::int64_t integer(std::string_view name) const;
  double real(std::string_view name) const;
  const std::string& text(std::string_view name) const;

 private:
  template <class T>
  const T& get(std::string_view name) const;
  std::vector<ExtraOption> options_;
};

}  // namespace witan
