// The two functions that libFuzzer calls, for the target WITAN_FUZZ_TARGET (a string, set by the build).
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>

#include "base/file.h"
#include "fuzz/target.h"

extern "C" int LLVMFuzzerInitialize(int* argc, char*** argv);
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

// An empty corpus folder on the command line gets the target's seeds.
extern "C" int LLVMFuzzerInitialize(int* argc, char*** argv) {
  namespace fs = std::filesystem;
  for (int i = 1; i < *argc; ++i) {
    const fs::path folder = (*argv)[i];
    if (!fs::is_directory(folder) || !fs::is_empty(folder)) continue;
    int number = 0;
    for (const std::string& seed : witan::fuzz::find_target(WITAN_FUZZ_TARGET).seeds()) {
      witan::write_file(folder / ("seed-" + std::to_string(number++)), seed);
    }
  }
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const witan::fuzz::Target& target = witan::fuzz::find_target(WITAN_FUZZ_TARGET);
  target.run({reinterpret_cast<const char*>(data), size});
  return 0;
}
