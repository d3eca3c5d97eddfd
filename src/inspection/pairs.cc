// A mean, a list and a matrix.
#include "inspection/pairs.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <vector>

#include "report/json_field.h"

namespace witan {
namespace {

constexpr std::int64_t kMostShown = 64;  // experts of a matrix
constexpr std::size_t kStrongest = 10;

struct Pair {
  std::int64_t a;
  std::int64_t b;
  double value;
};

}  // namespace

nlohmann::ordered_json pairs_json(std::span<const double> values, std::int64_t experts) {
  if (values.empty()) return nullptr;
  const auto value = [&](std::int64_t a, std::int64_t b) { return values[static_cast<std::size_t>(a * experts + b)]; };
  std::vector<Pair> pairs;
  double sum = 0.0;
  for (std::int64_t a = 0; a < experts; ++a) {
    for (std::int64_t b = a + 1; b < experts; ++b) {
      sum += value(a, b) + value(b, a);
      pairs.push_back(value(a, b) >= value(b, a) ? Pair{a, b, value(a, b)} : Pair{b, a, value(b, a)});
    }
  }
  const double mean = pairs.empty() ? 0.0 : sum / (2.0 * static_cast<double>(pairs.size()));
  std::ranges::stable_sort(pairs, std::ranges::greater(), &Pair::value);
  if (pairs.size() > kStrongest) pairs.resize(kStrongest);
  nlohmann::ordered_json strongest = nlohmann::ordered_json::array();
  for (const Pair& pair : pairs) strongest.push_back({{"a", pair.a}, {"b", pair.b}, {"value", rounded(pair.value)}});
  nlohmann::ordered_json matrix = nullptr;
  if (experts <= kMostShown) {
    matrix = nlohmann::ordered_json::array();
    for (std::int64_t a = 0; a < experts; ++a) {
      nlohmann::ordered_json row = nlohmann::ordered_json::array();
      for (std::int64_t b = 0; b < experts; ++b) row.push_back(nlohmann::ordered_json(rounded(value(a, b))));
      matrix.push_back(std::move(row));
    }
  }
  return {{"mean", rounded(mean)}, {"strongest", std::move(strongest)}, {"matrix", std::move(matrix)}};
}

}  // namespace witan
