// Prints docs/routers.md: build/release/docs/write_routers_page > docs/routers.md
#include <fmt/core.h>

#include "layers/routers_page.h"

int main() {
  fmt::print("{}", witan::routers_page());
  return 0;
}
