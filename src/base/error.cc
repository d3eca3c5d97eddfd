// Out-of-line throws, so that callers stay small.
#include "base/error.h"

#include <fmt/core.h>

namespace witan {

void throw_error(const std::string& message) { throw Error(message); }

void throw_bug(const char* condition, const char* file, int line) {
  throw Bug(fmt::format("internal error at {}:{}: {} does not hold", file, line, condition));
}

}  // namespace witan
