// oracle_check FOLDER...: compares model folders with the expected.json in each, a line per section. Exit code 1 when
// anything is beyond its tolerance or does not load, 2 without folders.
#include <fmt/core.h>

#include <exception>

#include "support/oracle.h"

namespace {

bool check(const char* folder) {
  fmt::print("{}\n", folder);
  try {
    bool good = true;
    for (const witan::test::OracleSection& section : witan::test::check_oracle(folder)) {
      fmt::print("  {:<26} {:>10.3g}  tolerance {:<8.3g} {}\n", section.name, section.difference, section.tolerance,
                 section.agrees() ? "ok" : "BEYOND, worst at " + section.worst);
      good = good && section.agrees();
    }
    return good;
  } catch (const std::exception& error) {
    fmt::print("  error: {}\n", error.what());
    return false;
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    fmt::print(stderr, "usage: oracle_check FOLDER...\n");
    return 2;
  }
  bool good = true;
  for (int i = 1; i < argc; ++i) good = check(argv[i]) && good;
  return good ? 0 : 1;
}
