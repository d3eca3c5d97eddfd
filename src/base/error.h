// The two kinds of failure. A user's mistake throws Error, before any work, with the values that were wrong;
// a bug in Witan throws Bug. The library never prints, exits or aborts.
#pragma once

#include <fmt/core.h>

#include <stdexcept>
#include <string>
#include <string_view>

namespace witan {

// A mistake in what the user gave: an option, a file, a size. what() reads "where: what was wrong, what was expected".
class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// An invariant of Witan itself that does not hold.
class Bug : public std::logic_error {
 public:
  using std::logic_error::logic_error;
};

[[noreturn]] void throw_error(const std::string& message);
[[noreturn]] void throw_bug(const char* condition, const char* file, int line);

// fail("router.top_k: top_k={} exceeds num_experts={}", 9, 8) throws Error.
template <class... Args>
[[noreturn]] void fail(fmt::format_string<Args...> format, Args&&... args) {
  throw_error(fmt::vformat(format, fmt::make_format_args(args...)));
}

}  // namespace witan

// Checked in every build: a failed check is a bug in Witan, never a user's mistake.
#define WITAN_ASSERT(condition) \
  ((condition) ? static_cast<void>(0) : ::witan::throw_bug(#condition, __FILE__, __LINE__))
