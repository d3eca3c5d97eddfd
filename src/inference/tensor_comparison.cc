// Numbers beside numbers, in double.
#include "inference/tensor_comparison.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "base/error.h"
#include "models/released_files.h"

namespace witan {
namespace {

constexpr std::string_view kIndex = ".topk_index";
constexpr std::string_view kWeight = ".topk_weight";

// Takes numbers one pair after the other.
class Difference {
 public:
  explicit Difference(double tolerance) : tolerance_(tolerance) {}

  void add(float a, float b, std::int64_t index, TensorDifference& result) {
    const auto first = static_cast<double>(a);
    const auto second = static_cast<double>(b);
    const double magnitude = std::max(std::fabs(first), std::fabs(second));
    if (magnitude > largest_) largest_ = magnitude;
    if (first == second) return;  // also equal infinities
    double difference = std::fabs(first - second);
    if (std::isnan(difference)) difference = std::numeric_limits<double>::infinity();
    if (difference > tolerance_ * (1.0 + magnitude) || std::isinf(difference)) result.beyond = true;
    if (difference <= result.absolute) return;
    result.absolute = difference;
    result.index = index;
    result.a = first;
    result.b = second;
  }
  void finish(TensorDifference& result) const {
    if (result.absolute == 0.0) return;
    const bool finite = std::isfinite(result.absolute) && largest_ > 0.0;
    result.relative = finite ? result.absolute / largest_ : std::numeric_limits<double>::infinity();
  }

 private:
  double tolerance_;
  double largest_ = 0.0;
};

void compare_values(std::span<const float> a, std::span<const float> b, double tolerance, TensorDifference& result) {
  Difference difference(tolerance);
  for (std::size_t i = 0; i < a.size(); ++i) difference.add(a[i], b[i], static_cast<std::int64_t>(i), result);
  difference.finish(result);
}

// The choices of one row, -1 left out.
std::set<float> choices_of(const DumpedTensor& indices, std::int64_t row) {
  const std::int64_t width = indices.shape.back();
  const float* const begin = indices.values.data() + row * width;
  std::set<float> chosen(begin, begin + width);
  chosen.erase(-1.0F);
  return chosen;
}

bool are_rows(const DumpedTensor& a, const DumpedTensor& b) {
  return a.shape.size() == 2 && b.shape.size() == 2 && a.shape[0] == b.shape[0];
}

void compare_choices(const DumpedTensor& a, const DumpedTensor& b, TensorDifference& result) {
  result.choices = true;
  for (std::int64_t row = 0; row < a.shape[0]; ++row) {
    if (choices_of(a, row) == choices_of(b, row)) continue;
    if (result.rows_chosen_otherwise++ == 0) result.first_row = row;
    result.beyond = true;
  }
}

struct Weights {
  const DumpedTensor& values;
  const DumpedTensor& indices;

  bool fits() const { return values.shape == indices.shape && values.shape.size() == 2; }
  std::map<float, float> of_row(std::int64_t row) const {
    std::map<float, float> by_expert;
    for (std::int64_t i = row * values.shape[1]; i < (row + 1) * values.shape[1]; ++i) {
      const auto at = static_cast<std::size_t>(i);
      if (indices.values[at] >= 0.0F) by_expert[indices.values[at]] = values.values[at];
    }
    return by_expert;
  }
};

void compare_choice_weights(const Weights& a, const Weights& b, double tolerance, TensorDifference& result) {
  Difference difference(tolerance);
  for (std::int64_t row = 0; row < a.values.shape[0]; ++row) {
    const std::map<float, float> first = a.of_row(row);
    const std::map<float, float> second = b.of_row(row);
    const bool same = std::ranges::equal(
        first, second, {}, [](const auto& entry) { return entry.first; },
        [](const auto& entry) { return entry.first; });
    if (!same) continue;  // counted where the choices are compared
    std::int64_t rank = 0;
    for (const auto& [expert, weight] : first) {
      difference.add(weight, second.at(expert), row * a.values.shape[1] + rank++, result);
    }
  }
  difference.finish(result);
}

TensorDifference compare_tensors(const TensorDump& dump_a, const TensorDump& dump_b, const DumpedTensor& a,
                                 const DumpedTensor& b, double tolerance) {
  TensorDifference result{.name = a.name, .shape = a.shape};
  const std::string_view name = a.name;
  if (name.ends_with(kIndex) && are_rows(a, b)) {
    compare_choices(a, b, result);
    return result;
  }
  if (name.ends_with(kWeight)) {
    const std::string index = std::string(name.substr(0, name.size() - kWeight.size())) + std::string(kIndex);
    const DumpedTensor* const index_a = dump_a.find(index);
    const DumpedTensor* const index_b = dump_b.find(index);
    if (index_a != nullptr && index_b != nullptr && are_rows(a, b)) {
      const Weights first{a, *index_a};
      const Weights second{b, *index_b};
      if (first.fits() && second.fits()) {
        compare_choice_weights(first, second, tolerance, result);
        return result;
      }
    }
  }
  if (a.shape != b.shape) {
    result.other_shape = shape_text(b.shape);
    result.beyond = true;
    return result;
  }
  compare_values(a.values, b.values, tolerance, result);
  return result;
}

TensorDifference compare_weight(const WeightFiles& files_a, const WeightFiles& files_b, const std::string& name,
                                double tolerance) {
  const StoredValues& a = files_a.values();
  const StoredValues& b = files_b.values();
  TensorDifference result{.name = name, .shape = a.shape(name)};
  if (!a.is_number(name) || !b.is_number(name)) {  // integers, booleans: the same or not
    result.beyond = a.is_number(name) != b.is_number(name) ||
                    !std::ranges::equal(files_a.reader().tensor(name).bytes, files_b.reader().tensor(name).bytes);
    if (result.beyond) result.absolute = result.relative = std::numeric_limits<double>::infinity();
    return result;
  }
  std::vector<std::int64_t> other = b.shape(name);
  const bool turn = a.is_mxfp4(name) != b.is_mxfp4(name) && other.size() >= 2;
  if (turn) std::swap(other[other.size() - 2], other.back());
  if (result.shape != other) {
    result.other_shape = shape_text(b.shape(name));
    result.beyond = true;
    return result;
  }
  const PooledVector<float> first = files_a.read(name);
  PooledVector<float> second = files_b.read(name);
  if (turn) second = with_last_two_exchanged(b.shape(name), second);
  compare_values(first, second, tolerance, result);
  return result;
}

// Layer 10 behind layer 9: runs of digits are numbers.
std::vector<std::pair<std::string, std::int64_t>> natural_key(std::string_view name) {
  std::vector<std::pair<std::string, std::int64_t>> key;
  std::string word;
  std::int64_t number = -1;
  for (const char c : name) {
    const bool digit = c >= '0' && c <= '9';
    if (digit && number < (std::int64_t{1} << 48)) {
      number = std::max<std::int64_t>(number, 0) * 10 + (c - '0');
      continue;
    }
    if (number >= 0) {
      key.emplace_back(std::move(word), number);
      word.clear();
      number = -1;
    }
    word += c;
  }
  key.emplace_back(std::move(word), number);
  return key;
}

}  // namespace

const TensorDifference* TensorComparison::first_beyond() const {
  const auto found = std::ranges::find(tensors, true, &TensorDifference::beyond);
  return found == tensors.end() ? nullptr : &*found;
}

TensorComparison compare_dumps(const TensorDump& a, const TensorDump& b, double tolerance) {
  TensorComparison comparison;
  for (const DumpedTensor& tensor : a.tensors) {
    const DumpedTensor* const other = b.find(tensor.name);
    if (other == nullptr) {
      comparison.only_a.push_back(tensor.name);
    } else {
      comparison.tensors.push_back(compare_tensors(a, b, tensor, *other, tolerance));
    }
  }
  for (const DumpedTensor& tensor : b.tensors) {
    if (a.find(tensor.name) == nullptr) comparison.only_b.push_back(tensor.name);
  }
  return comparison;
}

TensorComparison compare_weights(const std::filesystem::path& a, const std::filesystem::path& b, double tolerance) {
  const WeightFiles first(a, read_config_file(a));
  const WeightFiles second(b, read_config_file(b));
  TensorComparison comparison;
  std::vector<std::string> both;
  const std::vector<std::string> names_a = first.values().names();
  const std::vector<std::string> names_b = second.values().names();
  std::ranges::set_intersection(names_a, names_b, std::back_inserter(both));
  std::ranges::set_difference(names_a, names_b, std::back_inserter(comparison.only_a));
  std::ranges::set_difference(names_b, names_a, std::back_inserter(comparison.only_b));
  std::ranges::sort(both, {}, natural_key);
  for (const std::string& name : both) comparison.tensors.push_back(compare_weight(first, second, name, tolerance));
  return comparison;
}

std::string index_text(std::span<const std::int64_t> shape, std::int64_t index) {
  std::vector<std::int64_t> place(shape.size());
  for (std::size_t i = shape.size(); i-- > 0;) {
    place[i] = index % shape[i];
    index /= shape[i];
  }
  return shape_text(place);
}

}  // namespace witan
