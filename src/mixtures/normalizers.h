// The part of a log density that depends on one head alone, not on the row, remembered for each expert: derivatives()
// is called for every row at the same parameters. Not for densities where it takes no special functions.
#pragma once

#include <array>
#include <cmath>
#include <cstddef>
#include <limits>
#include <vector>

namespace witan::mixtures {

class Normalizers {
 public:
  using Terms = std::array<double, 3>;  // with the first and second derivative in exp(head)

  explicit Normalizers(int experts) : known_(static_cast<std::size_t>(experts)) {}

  // compute(exp(head)) -> Terms.
  template <class Compute>
  void remember(int expert, double head, const Compute& compute) {
    known_[static_cast<std::size_t>(expert)] = {head, compute(std::exp(head))};
  }
  // What was remembered at this very head, else computed.
  template <class Compute>
  Terms at(int expert, double head, const Compute& compute) const {
    const Known& known = known_[static_cast<std::size_t>(expert)];
    return known.head == head ? known.terms : compute(std::exp(head));
  }

 private:
  struct Known {
    double head = std::numeric_limits<double>::quiet_NaN();
    Terms terms{};
  };
  std::vector<Known> known_;
};

}  // namespace witan::mixtures
