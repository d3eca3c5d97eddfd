// Nearest names by edit distance.
#include "base/suggest.h"

#include <algorithm>
#include <cctype>
#include <cstddef>
#include <utility>
#include <vector>

namespace witan {
namespace {

// Case and the choice of '-' or '_' are no difference to somebody who mistyped a flag.
std::string folded(std::string_view name) {
  std::string text(name);
  for (char& c : text) c = c == '-' ? '_' : static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return text;
}

// Insertions, deletions, substitutions and swaps of neighbours (Damerau-Levenshtein, optimal string alignment).
std::size_t edit_distance(const std::string& a, const std::string& b) {
  std::vector<std::size_t> before(b.size() + 1);
  std::vector<std::size_t> last(b.size() + 1);
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) last[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1)});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) row[j] = std::min(row[j], before[j - 2] + 1);
    }
    std::swap(before, last);
    std::swap(last, row);
  }
  return last[b.size()];
}

constexpr std::size_t kMostShown = 3;
constexpr std::size_t kFewNames = 20;     // a list this short is shown whole
constexpr std::size_t kLongestName = 64;  // beyond it a name is no slip of the keyboard

}  // namespace

std::string comma_list(std::span<const std::string> names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
  return text;
}

std::string suggestion(std::string_view name, std::span<const std::string> known) {
  std::vector<std::pair<std::size_t, const std::string*>> near;
  if (name.size() <= kLongestName) {
    const std::string typed = folded(name);
    const std::size_t allowed = std::max<std::size_t>(1, typed.size() / 3);
    for (const std::string& candidate : known) {
      const std::string other = folded(candidate);
      const std::size_t distance = edit_distance(typed, other);
      const bool part = typed.size() >= 4 && other.find(typed) != std::string::npos;
      if (distance <= allowed) {
        near.emplace_back(distance, &candidate);
      } else if (part) {
        near.emplace_back(allowed + 1, &candidate);
      }
    }
  }
  if (near.empty()) {
    if (known.empty() || known.size() > kFewNames) return "";
    return " (known: " + comma_list(known) + ")";
  }
  std::stable_sort(near.begin(), near.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  near.resize(std::min(near.size(), kMostShown));
  std::string text = " (did you mean ";
  for (std::size_t i = 0; i < near.size(); ++i) {
    if (i > 0) text += i + 1 == near.size() ? " or " : ", ";
    text += "'" + *near[i].second + "'";
  }
  return text + "?)";
}

}  // namespace witan
