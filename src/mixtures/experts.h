// Experts of one family: conditional densities f_k(y | x) of the targets given the inputs. They never see a gate, a
// router or each other's responsibilities.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "mixtures/part.h"
#include "mixtures/rows.h"

namespace witan::mixtures {

// Where densities that would be 0 stop: far below any of standardised data, and far from overflow when rows are added
// up.
constexpr double kLeastLogDensity = -1e290;

// A parameter that is not linear, in the user's units: "sigma", "nu".
struct ShapeValue {
  std::string name;
  double value = 0.0;
};

class Experts : public Part {
 public:
  // out[k] [count] = log f_k of the rows begin .. begin + count - 1; finite. count <= kBlockRows.
  virtual void log_density(const Rows& rows, std::int64_t begin, std::int64_t count,
                           std::span<double* const> out) const = 0;
  // The M-step: raises sum_n weights(n, k) log f_k of every expert (to its maximum where that has a closed form), minus
  // the penalty.
  virtual void fit(const Rows& rows, const Weights& weights) = 0;

  // Bounds what the gates within experts that are networks give away, and ends that: Network::balance.
  virtual void balance(const Rows& /*rows*/, std::int64_t /*begin*/, std::int64_t /*count*/, double /*margin*/) {}
  virtual void lift_balance() {}

  // Why this expert is degenerate ("its variance reached the floor"); empty when it is not.
  virtual std::string degenerate(int /*expert*/) const { return {}; }
  // What the last fit had to work around ("rank-deficient least squares"); empty when nothing.
  const std::string& note() const { return note_; }

  // Values of this expert's heads at a row.
  virtual std::vector<double> head_values(const Rows& rows, int expert, std::int64_t row) const;

  // The distribution of the targets of one row given the values of this expert's heads.
  // Means [outputs]; of classes their probabilities.
  virtual std::vector<double> mean(int expert, const double* heads) const = 0;
  // Variances [outputs]; infinite where they do not exist, empty for classes.
  virtual std::vector<double> variance(int expert, const double* heads) const = 0;
  // P(Y_output <= y); for one output of a number, not for classes.
  virtual double cdf(int expert, const double* heads, int output, double y) const = 0;
  // log f at targets [outputs] (of a class its number); finite.
  virtual double log_density_at(int expert, const double* heads, const double* targets) const = 0;
  // One draw: targets [outputs].
  virtual void draw(int expert, const double* heads, Random& random, double* targets) const = 0;
  // Closed forms of E|Y - y|, and of E|Y - Z| for independent Y and Z of two experts, the first output of each: what
  // the continuous ranked probability score of a mixture is made of (Gneiting & Raftery 2007, eq. 21).
  virtual bool has_mean_distances() const { return false; }
  virtual double mean_distance(int expert, const double* heads, double y) const;
  virtual double mean_difference(int one, const double* heads, int other, const double* other_heads) const;
  // The parameters besides the linear ones, in the units of targets of these scales and names [outputs].
  virtual std::vector<ShapeValue> shape(int /*expert*/, const std::vector<double>& /*scales*/,
                                        const std::vector<std::string>& /*targets*/) const {
    return {};
  }

 protected:
  std::string note_;
};

}  // namespace witan::mixtures
