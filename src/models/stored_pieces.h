// How the parameters of a decoder are cut, joined and named in a checkpoint.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "models/tensor_rule.h"
#include "witan/parameter.h"

namespace witan {

// The sizes of a shape, as files hold them.
std::vector<std::int64_t> dimensions(const Shape& shape);

// A tensor of the checkpoint and the parameters it is made of. As stored it has `banks` parts (experts), each a matrix
// of the members' rows, stacked or in turn.
class StoredPiece {
 public:
  std::string name;
  std::vector<std::int64_t> shape;

  std::int64_t banks() const { return banks_; }
  std::int64_t bank_size() const { return rows_ * cols_; }
  // The stored values of one bank: [numel / banks]. With `plain`, as if the rule said nothing of transposition.
  void gather(std::int64_t bank, std::span<float> out) const;
  void scatter(std::int64_t bank, std::span<const float> in, bool plain) const;
  // The memory that holds all values just as they are stored, as f32, or nothing when there is no such place.
  std::span<float> in_place(bool plain) const;
  // The shape without transposition, in which packed formats store it.
  std::vector<std::int64_t> plain_shape() const;

 private:
  friend class PieceMaker;
  struct Member {
    Tensor tensor;       // holds them, in either precision
    std::int64_t first;  // its first element that counts: [banks, rows, cols] from there
    std::int64_t rows;
    std::int64_t first_row;
  };
  // Calls visit(index in the stored bank, element of the member's values) for every element of a member.
  template <class Visit>
  void for_each_element(const Member& member, std::int64_t bank, bool plain, const Visit& visit) const;
  template <class Element, class Visit>
  void for_each_element(const Member& member, Element* all, std::int64_t bank, bool plain, const Visit& visit) const;

  std::vector<Member> members_;
  std::int64_t banks_ = 1;
  std::int64_t rows_ = 0;  // of all members together
  std::int64_t cols_ = 1;
  bool interleaved_ = false;
  bool transposed_ = false;
  bool has_cols_ = false;
  bool shows_banks_ = false;
  bool flat_ = false;
};

// In the order of the parameters. `layers`: what stands before a layer's number in the files.
std::vector<StoredPiece> stored_pieces(std::span<const TensorRule> rules, std::string_view layers,
                                       const std::vector<Parameter>& parameters);
// The name of a parameter that no other is joined with and that is no bank of experts.
std::string stored_name(std::span<const TensorRule> rules, std::string_view layers, const std::string& parameter);

}  // namespace witan
