// docs/routers.md is what the tables say.
#include "layers/routers_page.h"

#include <gtest/gtest.h>

#include "base/file.h"

namespace witan {
namespace routers_page_test {

TEST(RoutersPageTest, IsCurrent) {
  EXPECT_EQ(read_text_file(WITAN_TEST_DATA "/../docs/routers.md"), routers_page())
      << "run: build/release/docs/write_routers_page > docs/routers.md";
}

}  // namespace routers_page_test
}  // namespace witan
