// Where the rows of an objective are: in memory, or read again, piece by piece, for every sum over them.
#pragma once

#include <functional>

#include "mixtures/model.h"

namespace witan::mixtures {

class RowSource {
 public:
  RowSource() = default;
  RowSource(const RowSource&) = delete;
  RowSource& operator=(const RowSource&) = delete;
  virtual ~RowSource() = default;

  // Calls body once for each piece, in order; a piece is good until body returns.
  virtual void each(const std::function<void(const Data&)>& body) const = 0;
  virtual double total_weight() const = 0;
};

class RowsInMemory : public RowSource {
 public:
  explicit RowsInMemory(const Data& data) : data_(data) {}
  void each(const std::function<void(const Data&)>& body) const override { body(data_); }
  double total_weight() const override { return data_.total_weight; }

 private:
  const Data& data_;
};

}  // namespace witan::mixtures
