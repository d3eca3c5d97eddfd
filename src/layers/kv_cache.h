// What a decoder remembers of one sequence: its tokens, and per layer the keys and values of every position so far, or
// what both are made of. Not shared between sequences.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "autograd/tensor.h"
#include "base/pool.h"

namespace witan {

class KvCache {
 public:
  // `width` = kv_heads * head_dim, the columns of keys and of values; at most `max_positions` positions.
  KvCache(std::int64_t num_layers, std::int64_t width, std::int64_t max_positions)
      : KvCache(num_layers, width, width, max_positions) {}
  // One row of `width` columns for each position, of which keys and values are made (latent_attention.h). It is stored
  // and read as the keys; there are no values.
  static KvCache of_latents(std::int64_t num_layers, std::int64_t width, std::int64_t max_positions) {
    return {num_layers, width, 0, max_positions};
  }

  std::int64_t length() const { return static_cast<std::int64_t>(tokens_.size()); }
  std::int32_t last_token() const { return tokens_.empty() ? -1 : tokens_.back(); }  // -1: none yet
  std::int64_t num_layers() const { return static_cast<std::int64_t>(layers_.size()); }
  std::int64_t key_width() const { return key_width_; }
  std::int64_t value_width() const { return value_width_; }
  std::int64_t max_positions() const { return max_positions_; }

  // The length that the sequence is known to reach, for a prompt that is fed in pieces: RoPE that goes by the length
  // then turns all pieces alike.
  void expect(std::int64_t length) { expected_length_ = length; }
  std::int64_t expected_length() const { return expected_length_; }

  // Throws Error when `count` more positions would exceed max_positions, naming both.
  void require_room(std::int64_t count) const;
  // Puts the keys and values [n, width] of positions length() .. length() + n - 1 into a layer; `values` is undefined
  // where there are none. They count once advance(n ids) is called, when all layers have them: a forward pass that
  // fails midway leaves the cache as it was.
  void store(std::int64_t layer, const Tensor& keys, const Tensor& values);
  // The first `rows` positions of a layer, of those stored.
  ConstMatrix keys(std::int64_t layer, std::int64_t rows) const;
  ConstMatrix values(std::int64_t layer, std::int64_t rows) const;
  void advance(std::span<const std::int32_t> ids);
  // The same content in memory of its own; a plain copy of the object shares what its layers hold.
  KvCache clone() const;

 private:
  struct Layer {
    Tensor keys;    // [capacity, width], undefined until the first store
    Tensor values;  // undefined without values too
  };
  KvCache(std::int64_t num_layers, std::int64_t key_width, std::int64_t value_width, std::int64_t max_positions);
  void grow(Layer& layer, std::int64_t rows) const;
  // The layer in memory of its own, for this many positions.
  Layer moved(const Layer& layer, std::int64_t capacity) const;

  std::vector<Layer> layers_;
  std::int64_t key_width_;
  std::int64_t value_width_;
  std::int64_t max_positions_;
  std::int64_t expected_length_ = 0;
  PooledVector<std::int32_t> tokens_;
};

}  // namespace witan
