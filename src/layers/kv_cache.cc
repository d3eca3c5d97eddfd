// Keys and values in one block per layer, which grows by half and at least by a chunk: copying stays linear in the
// length, and short texts do not pay for the whole context.
#include "layers/kv_cache.h"

#include <algorithm>

#include "base/error.h"

namespace witan {
namespace {

constexpr std::int64_t kChunk = 256;

Tensor grown(const Tensor& old, std::int64_t kept, std::int64_t capacity, std::int64_t width) {
  Tensor block = Tensor::uninitialized({capacity, width});
  if (old.defined()) std::copy_n(old.data(), kept * width, block.data());
  return block;
}

}  // namespace

KvCache::KvCache(std::int64_t num_layers, std::int64_t key_width, std::int64_t value_width, std::int64_t max_positions)
    : layers_(static_cast<std::size_t>(num_layers)),
      key_width_(key_width),
      value_width_(value_width),
      max_positions_(max_positions) {
  WITAN_ASSERT(num_layers > 0 && key_width > 0 && value_width >= 0 && max_positions > 0);
}

void KvCache::require_room(std::int64_t count) const {
  if (length() + count > max_positions_) {
    fail("cache: {} more positions after {} exceed the context of {} (max_position_embeddings)", count, length(),
         max_positions_);
  }
}

void KvCache::store(std::int64_t layer, const Tensor& keys, const Tensor& values) {
  WITAN_ASSERT(keys.cols() == key_width_ && values.defined() == (value_width_ > 0));
  require_room(keys.rows());
  Layer& target = layers_.at(static_cast<std::size_t>(layer));
  grow(target, length() + keys.rows());
  std::copy_n(keys.data(), keys.numel(), target.keys.data() + length() * key_width_);
  if (value_width_ == 0) return;
  WITAN_ASSERT(values.cols() == value_width_ && values.rows() == keys.rows());
  std::copy_n(values.data(), values.numel(), target.values.data() + length() * value_width_);
}

ConstMatrix KvCache::keys(std::int64_t layer, std::int64_t rows) const {
  const Layer& source = layers_.at(static_cast<std::size_t>(layer));
  WITAN_ASSERT(rows == 0 || (source.keys.defined() && rows <= source.keys.rows()));
  return {source.keys.data(), rows, key_width_};
}

ConstMatrix KvCache::values(std::int64_t layer, std::int64_t rows) const {
  const Layer& source = layers_.at(static_cast<std::size_t>(layer));
  WITAN_ASSERT(rows == 0 || (source.values.defined() && rows <= source.values.rows()));
  return {source.values.data(), rows, value_width_};
}

void KvCache::advance(std::span<const std::int32_t> ids) {
  require_room(static_cast<std::int64_t>(ids.size()));
  tokens_.insert(tokens_.end(), ids.begin(), ids.end());
}

KvCache KvCache::clone() const {
  KvCache copy = *this;
  for (Layer& layer : copy.layers_) {
    if (layer.keys.defined()) layer = moved(layer, layer.keys.rows());
  }
  return copy;
}

void KvCache::grow(Layer& layer, std::int64_t rows) const {
  const std::int64_t capacity = layer.keys.defined() ? layer.keys.rows() : 0;
  if (rows <= capacity) return;
  const std::int64_t wanted = std::max(rows, capacity + std::max(kChunk, capacity / 2));
  layer = moved(layer, std::min(wanted, max_positions_));
}

KvCache::Layer KvCache::moved(const Layer& layer, std::int64_t capacity) const {
  return {grown(layer.keys, length(), capacity, key_width_),
          value_width_ > 0 ? grown(layer.values, length(), capacity, value_width_) : Tensor()};
}

}  // namespace witan
