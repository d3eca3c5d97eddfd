// How fast texts become ids, one thread: bench_tokenizer TOKENIZER TEXT [benchmark options], where TOKENIZER is a
// tokenizer.json, or a folder with a tokenizer of any kind. Whole: the text at once. Lines: each line by itself, the
// words seen before still known. bench/peers/tokenizer.mjs times Hugging Face's library on the same files.
#include "text/tokenizer.h"

#include <benchmark/benchmark.h>

#include <cstdio>
#include <filesystem>

#include "base/file.h"

namespace witan {
namespace {

void encode_all(benchmark::State& state, const Tokenizer& tokenizer, const std::vector<std::string>& texts) {
  std::size_t bytes = 0;
  for (auto _ : state) {
    for (const std::string& text : texts) {
      benchmark::DoNotOptimize(tokenizer.encode(text));
      bytes += text.size();
    }
  }
  state.SetBytesProcessed(static_cast<std::int64_t>(bytes));
}

}  // namespace
}  // namespace witan

int main(int argc, char** argv) {
  if (argc < 3) {
    std::fputs("usage: bench_tokenizer TOKENIZER TEXT [benchmark options]\n", stderr);
    return 2;
  }
  const auto tokenizer =
      std::filesystem::is_directory(argv[1]) ? witan::load_tokenizer(argv[1]) : witan::load_tokenizer_json(argv[1]);
  const std::vector<std::string> whole = {witan::read_text_file(argv[2])};
  std::vector<std::string> lines;
  for (std::size_t begin = 0; begin < whole[0].size();) {
    const std::size_t end = std::min(whole[0].find('\n', begin), whole[0].size() - 1) + 1;
    lines.push_back(whole[0].substr(begin, end - begin));
    begin = end;
  }
  benchmark::RegisterBenchmark("whole", [&](benchmark::State& state) { witan::encode_all(state, *tokenizer, whole); });
  benchmark::RegisterBenchmark("lines", [&](benchmark::State& state) { witan::encode_all(state, *tokenizer, lines); });
  argc -= 2;
  argv[2] = argv[0];
  argv += 2;
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
}
