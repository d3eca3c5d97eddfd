// Open addressing over slots that carry part of the hash, so that a miss seldom looks at any text.
#include "text/vocabulary.h"

#include <bit>
#include <functional>

#include "base/error.h"

namespace witan {
namespace {

std::uint32_t hash_of(std::string_view token) {
  const std::uint64_t hash = std::hash<std::string_view>{}(token);
  return static_cast<std::uint32_t>(hash ^ (hash >> 32));
}

}  // namespace

void Vocabulary::reserve(std::size_t tokens, std::size_t bytes) {
  bytes_.reserve(bytes);
  by_id_.reserve(tokens);
  grow(std::bit_ceil(2 * tokens + 8));
}

void Vocabulary::grow(std::size_t slots) {
  if (slots <= slots_.size()) return;
  std::vector<Slot> old(slots);
  old.swap(slots_);
  for (const Slot& slot : old) {
    if (slot.id >= 0) slots_[position(text(slot.text), slot.hash)] = slot;
  }
}

std::size_t Vocabulary::position(std::string_view token, std::uint32_t hash) const {
  std::size_t index = hash & (slots_.size() - 1);
  while (slots_[index].id >= 0 && (slots_[index].hash != hash || text(slots_[index].text) != token)) {
    index = (index + 1) & (slots_.size() - 1);
  }
  return index;
}

void Vocabulary::add(std::string_view token, std::int32_t id) {
  WITAN_ASSERT(id >= 0);
  if (2 * (size_ + 1) > slots_.size()) grow(std::bit_ceil(4 * size_ + 8));
  const std::uint32_t hash = hash_of(token);
  Slot& slot = slots_[position(token, hash)];
  if (slot.id < 0) {
    slot.hash = hash;
    slot.text = {bytes_.size(), token.size(), true};
    bytes_ += token;
    ++size_;
  }
  slot.id = id;
  if (id >= end_id()) by_id_.resize(static_cast<std::size_t>(id) + 1);
  by_id_[static_cast<std::size_t>(id)] = slot.text;
}

std::int32_t Vocabulary::find(std::string_view token) const {
  return slots_.empty() ? -1 : slots_[position(token, hash_of(token))].id;
}

std::string_view Vocabulary::token(std::int32_t id) const {
  return contains(id) ? text(by_id_[static_cast<std::size_t>(id)]) : std::string_view();
}

bool Vocabulary::contains(std::int32_t id) const {
  return id >= 0 && id < end_id() && by_id_[static_cast<std::size_t>(id)].used;
}

}  // namespace witan
