// What a fuzz target is: one reader of files from outside, fed with any bytes. The same targets run under libFuzzer
// (see libfuzzer.cc and CONTRIBUTING.md) and, over their seeds and some damage, in the tests (fuzz_test.cc).
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace witan::fuzz {

struct Target {
  const char* name;
  std::vector<std::string> (*seeds)();  // inputs that the reader accepts
  // Takes witan::Error, which is how a reader refuses, for a good end. Any other exception, a failed assertion or a
  // sanitizer's report is a finding.
  void (*run)(std::string_view input);
};

// One line of targets.cc each.
std::span<const Target> targets();
// Throws Error for an unknown name.
const Target& find_target(std::string_view name);

}  // namespace witan::fuzz
