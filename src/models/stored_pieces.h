// How the parameters of a decoder are cut, joined and named in a checkpoint: of a decoder that is there, or of one of
// which only names and shapes are known.
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

// A parameter that may be nowhere in memory. Banks of experts have three dimensions, those of their biases two.
struct ParameterOutline {
  std::string name;  // as Decoder::parameters() has it
  Shape shape;
};
// How many experts a parameter holds one after the other; 1 for all that is no bank.
std::int64_t num_banks(const ParameterOutline& parameter);

// A tensor of the checkpoint and the parameters it is made of. As stored it has `banks` parts (experts), each a matrix
// of the members' rows, stacked or in turn.
class StoredPiece {
 public:
  // What one parameter gives: banks() banks of it, from first_bank on.
  struct Part {
    std::string parameter;
    std::int64_t first_bank = 0;
    std::int64_t bank_size = 0;  // values
  };

  std::string name;
  std::vector<std::int64_t> shape;

  std::int64_t banks() const { return banks_; }
  std::int64_t bank_size() const { return rows_ * cols_; }
  std::vector<Part> parts() const;
  // Between one bank of a part [bank_size] and the same bank as it is stored [bank_size of the piece]; what other parts
  // give is left alone. With `plain`, as if the rule said nothing of transposition.
  void gather_part(std::size_t part, std::span<const float> values, std::span<float> out) const;
  void scatter_part(std::size_t part, std::span<const float> in, bool plain, std::span<float> values) const;
  // Whether the banks stand one after the other in the file just as they do in the only part.
  bool is_verbatim(bool plain) const { return members_.size() == 1 && (!transposed_ || plain); }

  // Of pieces of parameters that are in memory. The stored values of one bank: [numel / banks].
  void gather(std::int64_t bank, std::span<float> out) const;
  void scatter(std::int64_t bank, std::span<const float> in, bool plain) const;
  // The memory that holds all values just as they are stored, as f32, or nothing when there is no such place.
  std::span<float> in_place(bool plain) const;
  // Whether some of the parameters are held as f16, which not all of f32 fits into.
  bool is_f16() const;
  // The shape without transposition, in which packed formats store it.
  std::vector<std::int64_t> plain_shape() const;

 private:
  friend class PieceMaker;
  struct Member {
    std::string parameter;
    std::int64_t first_bank;
    Tensor tensor;  // holds them, in either precision: [banks of the parameter, rows, cols]; undefined: nowhere
    std::int64_t rows;
    std::int64_t first_row;
  };
  // Calls visit(index in the stored bank, index in the member's bank) for every element of a member.
  template <class Visit>
  void for_each_element(const Member& member, bool plain, const Visit& visit) const;
  // The first element of a bank in the member's tensor.
  std::size_t first_of(const Member& member, std::int64_t bank) const {
    return static_cast<std::size_t>((member.first_bank + bank) * member.rows * cols_);
  }

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
// The same without values: such pieces know gather_part and scatter_part.
std::vector<StoredPiece> stored_pieces(std::span<const TensorRule> rules, std::string_view layers,
                                       std::span<const ParameterOutline> parameters);
// The name of a parameter that no other is joined with and that is no bank of experts.
std::string stored_name(std::span<const TensorRule> rules, std::string_view layers, const std::string& parameter);

}  // namespace witan
