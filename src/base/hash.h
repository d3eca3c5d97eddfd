// Checksums and keys of content: XXH64 (Collet, https://github.com/Cyan4973/xxHash). Not for cryptography.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace witan {

// What was fed, in whatever pieces, has one digest.
class Hasher {
 public:
  explicit Hasher(std::uint64_t seed = 0);
  void update(std::span<const std::byte> bytes);
  void update(std::string_view text) { update(std::as_bytes(std::span(text.data(), text.size()))); }
  // A number, so that neighbouring texts of different lengths cannot run into each other.
  void update_number(std::uint64_t number);
  std::uint64_t digest() const;

 private:
  void consume(const std::byte* stripe);

  std::array<std::uint64_t, 4> lanes_;
  std::array<std::byte, 32> pending_{};
  std::size_t pending_bytes_ = 0;
  std::uint64_t total_ = 0;
  std::uint64_t seed_;
};

// 16 hexadecimal digits.
std::string hex(std::uint64_t number);

}  // namespace witan
