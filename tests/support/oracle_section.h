// How a section of the comparison with expected.json is put together.
#pragma once

#include <fmt/core.h>

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <span>
#include <string>

#include "support/oracle.h"

namespace witan::test {

// Remembers the largest difference and where it was.
class Section {
 public:
  Section(std::string name, double tolerance) : section_{std::move(name), 0.0, tolerance, {}} {}

  void add(double difference, const std::string& where) {
    if (std::isnan(difference)) difference = std::numeric_limits<double>::infinity();
    if (difference <= section_.difference) return;
    section_.difference = difference;
    section_.worst = where;
  }
  void compare(std::span<const float> actual, const nlohmann::json& expected, const std::string& where) {
    if (actual.size() != expected.size()) {
      add(std::numeric_limits<double>::infinity(),
          fmt::format("{}: {} values, expected {}", where, actual.size(), expected.size()));
      return;
    }
    for (std::size_t i = 0; i < actual.size(); ++i) {
      add(std::fabs(static_cast<double>(actual[i]) - expected[i].get<double>()), fmt::format("{} [{}]", where, i));
    }
  }
  void count(const std::string& where) {
    if (section_.difference == 0.0) section_.worst = where;
    section_.difference += 1.0;
  }
  const OracleSection& result() const { return section_; }

 private:
  OracleSection section_;
};

}  // namespace witan::test
