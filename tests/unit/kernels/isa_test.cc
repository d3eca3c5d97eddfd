// Choice of the instruction set.
#include "kernels/isa.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace witan::kernels {
namespace isa_test {

TEST(IsaTest, NamesAreParsedBack) {
  for (const Isa isa : supported_isas()) EXPECT_EQ(parse_isa(isa_name(isa)), isa);
  EXPECT_THROW(parse_isa("mmx"), Error);
}

TEST(IsaTest, ForcedChoiceIsActive) {
  const Isa before = active_isa();
  for (const Isa isa : supported_isas()) {
    set_isa(isa);
    EXPECT_EQ(active_isa(), isa);
  }
  set_isa(before);
}

}  // namespace isa_test
}  // namespace witan::kernels
