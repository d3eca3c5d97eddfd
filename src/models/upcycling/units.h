// Arithmetic on the intermediate units of feed-forward networks: a unit is a row of gate_proj and up_proj, a column of
// down_proj, an entry of their biases. Any set of units is a network of its own, and networks whose units are joined
// add up, whatever the activation is.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "base/random.h"

namespace witan {

// A parameter of one network: values [units, width], or [width, units] when units are columns.
template <class Value>
struct UnitMatrix {
  std::span<Value> values;
  std::int64_t units = 0;
  std::int64_t width = 0;
  bool columns = false;

  std::size_t at(std::int64_t unit, std::int64_t i) const {
    return static_cast<std::size_t>(columns ? i * units + unit : unit * width + i);
  }
};

// Whether a parameter of a network ("up_proj", "down_proj_bias") has units at all: the bias of down_proj has none.
bool has_units(std::string_view projection);

// `values` of one network with `units` units, as the parameter of this name. Its size must fit.
template <class Value>
UnitMatrix<Value> unit_matrix(std::string_view projection, std::span<Value> values, std::int64_t units) {
  return {values, units, static_cast<std::int64_t>(values.size()) / units, projection == "down_proj"};
}

// count units of `from`, times `factor`, into those of `to` that begin at `to_first`. The widths are equal.
void copy_units(const UnitMatrix<const float>& from, std::int64_t from_first, std::int64_t count, float factor,
                const UnitMatrix<float>& to, std::int64_t to_first);

// `count` of the units 0 .. units - 1, ascending, each set of them equally likely.
std::vector<std::int64_t> draw_units(std::int64_t units, std::int64_t count, Random& random);

// Drop-Upcycling (Nakamura et al. 2025, section 3.1): the entries of the named units are drawn anew from the normal
// distribution that has the mean and the standard deviation which these entries have now.
void redraw_units(const UnitMatrix<float>& matrix, std::span<const std::int64_t> units, Random& random);

// Adds normal noise to a share of the values, each chosen by itself: its deviation is `relative` times that of the
// values. The same values for any number of threads.
void add_noise(std::span<float> values, double relative, double share, Random& random);

// Population mean and standard deviation, in double.
struct Moments {
  double mean = 0.0;
  double deviation = 0.0;
};
Moments moments_of(std::span<const float> values);

}  // namespace witan
