// Every fuzz target over its seeds and some damage to them, so that targets go on compiling and working. Not a search
// for bugs: libFuzzer does that.
#include <gtest/gtest.h>

#include <cstdint>
#include <filesystem>

#include "fuzz/target.h"
#include "support/mutate.h"
#include "support/temporary_folder.h"

extern "C" int LLVMFuzzerInitialize(int* argc, char*** argv);
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace witan::fuzz {
namespace fuzz_test {

class FuzzTargetTest : public testing::TestWithParam<Target> {};

TEST_P(FuzzTargetTest, EndsWellOnSeedsAndDamage) {
  const std::vector<std::string> seeds = GetParam().seeds();
  ASSERT_FALSE(seeds.empty());
  EXPECT_NO_THROW(GetParam().run(""));
  Random random(7);
  for (const std::string& seed : seeds) {
    EXPECT_NO_THROW(GetParam().run(seed));
    for (int i = 0; i < 60; ++i) {
      const std::string damaged = test::mutated(seed, random);
      EXPECT_NO_THROW(GetParam().run(damaged)) << testing::PrintToString(damaged);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Readers, FuzzTargetTest, testing::ValuesIn(targets().begin(), targets().end()),
                         [](const auto& given) { return std::string(given.param.name); });

TEST(FuzzDriverTest, FillsAnEmptyCorpusAndRunsAnInput) {
  const test::TemporaryFolder corpus;
  std::string name = "fuzz_safetensors";
  std::string folder = corpus.path().string();
  std::vector<char*> arguments = {name.data(), folder.data()};
  int count = 2;
  char** begin = arguments.data();
  EXPECT_EQ(LLVMFuzzerInitialize(&count, &begin), 0);
  EXPECT_TRUE(std::filesystem::exists(corpus / "seed-0"));
  const std::string seed = find_target("safetensors").seeds().at(1);
  EXPECT_EQ(LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(seed.data()), seed.size()), 0);
}

}  // namespace fuzz_test
}  // namespace witan::fuzz
