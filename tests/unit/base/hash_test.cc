// XXH64: published values, and the same digest however the input is cut.
#include "base/hash.h"

#include <gtest/gtest.h>

#include "base/random.h"

namespace witan {
namespace base_hash_test {

std::string digest(std::string_view text, std::uint64_t seed = 0) {
  Hasher hasher(seed);
  hasher.update(text);
  return hex(hasher.digest());
}

TEST(HashTest, MatchesPublishedValues) {
  EXPECT_EQ(digest(""), "ef46db3751d8e999");
  EXPECT_EQ(digest("a"), "d24ec4f1a98c6e5b");
  EXPECT_EQ(digest("abc"), "44bc2cf5ad770999");
  EXPECT_EQ(digest("Nobody inspects the spammish repetition"), "fbcea83c8a378bf1");
}

TEST(HashTest, CutsDoNotMatter) {
  Random random(2);
  std::string text;
  for (int i = 0; i < 300; ++i) text += static_cast<char>(random.bits());
  for (std::size_t length = 0; length < text.size(); ++length) {
    const std::string_view part = std::string_view(text).substr(0, length);
    Hasher pieces(7);
    for (std::size_t begin = 0; begin < length;) {
      const std::size_t taken = std::min<std::size_t>(random.below(40), length - begin);
      pieces.update(part.substr(begin, taken));
      begin += taken;
    }
    EXPECT_EQ(hex(pieces.digest()), digest(part, 7)) << length;
  }
}

}  // namespace base_hash_test
}  // namespace witan
