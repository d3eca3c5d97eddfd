// Scaled and packed tensors read as f32, and what is wrong with them named.
#include "formats/stored_values.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/file.h"
#include "support/compare.h"
#include "support/error_message.h"
#include "support/temporary_folder.h"

namespace witan {
namespace stored_values_test {

struct Raw {
  std::string name;
  std::string dtype;
  std::vector<std::int64_t> shape;
  std::string bytes;
};

std::string floats_as_bytes(const std::vector<float>& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float)};
}

// The writer of the library knows plain floats only.
void write_raw(const std::filesystem::path& path, const std::vector<Raw>& tensors) {
  nlohmann::json header;
  std::string data;
  for (const Raw& tensor : tensors) {
    header[tensor.name] = {{"dtype", tensor.dtype},
                           {"shape", tensor.shape},
                           {"data_offsets", {data.size(), data.size() + tensor.bytes.size()}}};
    data += tensor.bytes;
  }
  const std::string text = header.dump();
  const std::uint64_t length = text.size();
  write_file(path, std::string(reinterpret_cast<const char*>(&length), sizeof length) + text + data);
}

class StoredValuesTest : public testing::Test {
 protected:
  void write(const std::vector<Raw>& tensors) { write_raw(folder_ / "model.safetensors", tensors); }
  std::vector<float> read(const std::string& name, const std::vector<std::int64_t>& shape, std::int64_t slice = 0,
                          std::int64_t slices = 1) const {
    const SafetensorsReader reader(folder_.path());
    std::int64_t size = 1;
    for (const std::int64_t dimension : shape) size *= dimension;
    std::vector<float> values(static_cast<std::size_t>(size / slices));
    StoredValues(reader, 2, 3).read(name, shape, slice, slices, values);
    return values;
  }
  void expect_refused(const std::vector<std::int64_t>& shape, const std::vector<std::string>& says) const {
    const std::string message = test::error_message([&] { read("w", shape); });
    for (const std::string& part : says) EXPECT_NE(message.find(part), std::string::npos) << message;
  }

  test::TemporaryFolder folder_;
};

const std::string kOnes(20, '\x38');  // 1.0 as F8_E4M3

TEST_F(StoredValuesTest, RowsWithoutColumnsAreNotCountedThrough) {
  constexpr std::int64_t kMany = std::int64_t{1} << 60;
  write({{"w", "F8_E4M3", {kMany, 0}, ""}, {"w_scale_inv", "F32", {kMany / 2, 0}, ""}});
  EXPECT_TRUE(read("w", {kMany, 0}).empty());
}

TEST_F(StoredValuesTest, EightBitBlocksAreRaggedAtTheEdges) {
  write({{"w", "F8_E4M3", {5, 4}, kOnes}, {"w_scale_inv", "F32", {3, 2}, floats_as_bytes({1, 2, 3, 4, 5, 6})}});
  EXPECT_TRUE(test::identical(read("w", {5, 4}),
                              std::vector<float>{1, 1, 1, 2, 1, 1, 1, 2, 3, 3, 3, 4, 3, 3, 3, 4, 5, 5, 5, 6}));
  expect_refused({4, 5}, {"'w'", "[5, 4]", "[4, 5]"});
}

// Experts in one tensor: scales of each, whatever slices are asked for.
TEST_F(StoredValuesTest, EightBitStacksHaveScalesForEachMatrix) {
  write({{"w", "F8_E4M3", {2, 5, 2}, kOnes}, {"w_scale_inv", "F32", {2, 3, 1}, floats_as_bytes({1, 2, 3, 4, 5, 6})}});
  const std::vector<float> first = {1, 1, 1, 1, 2, 2, 2, 2, 3, 3};
  const std::vector<float> second = {4, 4, 4, 4, 5, 5, 5, 5, 6, 6};
  std::vector<float> both = first;
  both.insert(both.end(), second.begin(), second.end());
  EXPECT_TRUE(test::identical(read("w", {2, 5, 2}), both));
  EXPECT_TRUE(test::identical(read("w", {2, 5, 2}, 0, 2), first));
  EXPECT_TRUE(test::identical(read("w", {2, 5, 2}, 1, 2), second));
  write({{"w", "F8_E4M3", {2, 5, 2}, kOnes}, {"w_scale_inv", "F32", {5, 1}, floats_as_bytes({1, 2, 3, 4, 5})}});
  expect_refused({2, 5, 2}, {"w_scale_inv", "[5, 1]", "[2, 3, 1]"});
}

// Experts one below the other, as DBRX has them: a block may reach over their border.
TEST_F(StoredValuesTest, EightBitRowsAreCutWithinABlock) {
  write({{"w", "F8_E4M3", {4, 5}, kOnes}, {"w_scale_inv", "F32", {2, 2}, floats_as_bytes({1, 2, 3, 4})}});
  EXPECT_TRUE(test::identical(read("w", {4, 5}, 1, 4), std::vector<float>{1, 1, 1, 2, 2}));
  EXPECT_TRUE(test::identical(read("w", {4, 5}, 2, 4), std::vector<float>{3, 3, 3, 4, 4}));
}

TEST_F(StoredValuesTest, EightBitsWithoutTheirScales) {
  write({{"w", "F8_E4M3", {5, 4}, kOnes}});
  expect_refused({5, 4}, {"'w'", "w_scale_inv"});
  write({{"w", "F8_E4M3", {5, 4}, kOnes}, {"w_scale_inv", "F32", {2, 3}, floats_as_bytes({1, 2, 3, 4, 5, 6})}});
  expect_refused({5, 4}, {"w_scale_inv", "[2, 3]", "[3, 2]"});
  write({{"w", "F8_E4M3", {20}, kOnes}, {"w_scale_inv", "F32", {1}, floats_as_bytes({1})}});
  expect_refused({20}, {"'w'", "matrix"});
}

TEST_F(StoredValuesTest, PackedBlocksComeInSlices) {
  const std::string blocks = std::string(16, '\x22') + std::string(16, '\x33');
  write({{"w_blocks", "U8", {2, 1, 1, 16}, blocks}, {"w_scales", "U8", {2, 1, 1}, std::string("\x80\x7f", 2)}});
  const SafetensorsReader reader(folder_.path());
  const StoredValues values(reader, 128, 128);
  EXPECT_TRUE(values.is_mxfp4("w") && values.contains("w") && !values.contains("v"));
  EXPECT_EQ(values.shape("w"), (std::vector<std::int64_t>{2, 1, 32}));
  EXPECT_EQ(values.parts("w"), (std::vector<std::string>{"w_blocks", "w_scales"}));
  EXPECT_TRUE(test::identical(read("w", {2, 1, 32}, 0, 2), std::vector<float>(32, 2.0F)));
  EXPECT_TRUE(test::identical(read("w", {2, 1, 32}, 1, 2), std::vector<float>(32, 1.5F)));
}

TEST_F(StoredValuesTest, PackedBlocksThatDoNotFitTheirScales) {
  write({{"w_blocks", "U8", {2, 16}, std::string(32, '\0')}, {"w_scales", "U8", {1}, std::string(1, '\0')}});
  expect_refused({2, 32}, {"w_blocks", "[2, 16]", "[1]"});
  write({{"w_blocks", "U8", {4, 8}, std::string(32, '\0')}, {"w_scales", "U8", {4}, std::string(4, '\0')}});
  expect_refused({4, 32}, {"w_blocks", "[4, 8]"});
}

TEST_F(StoredValuesTest, IntegersAreNoWeights) {
  write({{"w", "I32", {2}, std::string(8, '\0')}});
  expect_refused({2}, {"'w'", "I32", "MXFP4"});
  expect_refused({3}, {"[2]", "[3]"});
}

}  // namespace stored_values_test
}  // namespace witan
