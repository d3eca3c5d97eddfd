// Our side of bench/peers: a process that answers each line on standard input with one timed round of work. Not for
// microbenchmarks, which use Google Benchmark.
#pragma once

#include <fmt/core.h>
#include <sys/resource.h>

#include <chrono>
#include <cstdio>
#include <functional>
#include <iostream>
#include <string>

namespace witan::bench {

// The most memory that this process ever held, in bytes.
inline long peak_memory_bytes() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_maxrss * 1024L;
}

// Call after warm-up. `round` returns further JSON members of its answer, such as R"("loss": 8.3)", or nothing.
inline void serve(const std::function<std::string()>& round) {
  const auto answer = [](const std::string& members) {
    fmt::print("{{{}\"peak_memory_bytes\": {}}}\n", members, peak_memory_bytes());
    std::fflush(stdout);
  };
  answer("");
  for (std::string line; std::getline(std::cin, line);) {
    const auto start = std::chrono::steady_clock::now();
    const std::string members = round();
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
    answer(fmt::format("\"seconds\": {}, {}{}", seconds.count(), members, members.empty() ? "" : ", "));
  }
}

}  // namespace witan::bench
