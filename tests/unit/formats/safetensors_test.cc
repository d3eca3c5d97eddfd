// Safetensors: round trip, conversions, shards, and a collection of broken files, each refused in clear words.
#include "formats/safetensors.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <cstring>
#include <limits>

#include "base/error.h"
#include "support/error_message.h"
#include "support/mutate.h"
#include "support/temporary_folder.h"

namespace witan {
namespace safetensors_test {

using test::error_message;
using test::TemporaryFolder;

std::string file_bytes(const std::string& header, const std::string& data) {
  const std::uint64_t length = header.size();
  std::string bytes(sizeof length, '\0');
  std::memcpy(bytes.data(), &length, sizeof length);
  return bytes + header + data;
}

SafetensorsContent parse(const std::string& bytes) {
  return parse_safetensors(std::as_bytes(std::span(bytes.data(), bytes.size())), "m.safetensors");
}

std::string refusal(const std::string& bytes) {
  return error_message([&] { parse(bytes); });
}

std::string header_refusal(const std::string& header, std::size_t data_bytes = 8) {
  return refusal(file_bytes(header, std::string(data_bytes, '\0')));
}

std::vector<float> read(const SafetensorsReader& reader, const std::string& name, std::vector<std::int64_t> shape) {
  std::vector<float> out(static_cast<std::size_t>(reader.tensor(name).numel()));
  reader.read_f32(name, shape, out);
  return out;
}

TEST(SafetensorsTest, WritesAndReadsBack) {
  const TemporaryFolder folder;
  const std::vector<float> a = {1.0F, -2.5F, 3e-40F, 4.0F, std::numeric_limits<float>::infinity(), 6.0F};
  const std::vector<float> scalar = {7.0F};
  const std::vector<TensorToStore> tensors = {{"z.a", {2, 3}, a}, {"b", {}, scalar}, {"empty", {0, 4}, {}}};
  write_safetensors(folder / "model.safetensors", tensors, {{"step", "3"}});
  const SafetensorsReader reader(folder.path());
  EXPECT_EQ(read(reader, "z.a", {2, 3}), a);
  EXPECT_EQ(read(reader, "b", {}), scalar);
  EXPECT_EQ(read(reader, "empty", {0, 4}), std::vector<float>{});
  EXPECT_EQ(reader.metadata(), (std::map<std::string, std::string>{{"format", "pt"}, {"step", "3"}}));
  const std::string bytes = read_text_file(folder / "model.safetensors");
  std::uint64_t header = 0;
  std::memcpy(&header, bytes.data(), sizeof header);
  EXPECT_EQ((header + 8) % 64, 0U);
  EXPECT_LT(bytes.find("\"b\""), bytes.find("\"empty\""));
  EXPECT_LT(bytes.find("\"empty\""), bytes.find("\"z.a\""));
}

TEST(SafetensorsTest, NoTensorsAtAll) {
  const TemporaryFolder folder;
  write_safetensors(folder / "x.safetensors", {});
  EXPECT_TRUE(SafetensorsReader(folder / "x.safetensors").tensors().empty());
  EXPECT_TRUE(parse(file_bytes("{}", "")).tensors.empty());
  EXPECT_TRUE(parse(file_bytes("{}      ", "")).tensors.empty());
}

TEST(SafetensorsTest, ConvertsHalfAndBfloat) {
  // Half and bfloat patterns of the same values, by the definition of the formats.
  const std::vector<std::uint16_t> halves = {0x3C00, 0xC000, 0x0001, 0x8000, 0x7C00, 0x7BFF, 0x0400, 0x3555};
  const std::vector<float> half_values = {
      1.0F, -2.0F, 5.9604645e-8F, -0.0F, std::numeric_limits<float>::infinity(), 65504.F, 6.1035156e-5F, 0.33325195F};
  const std::vector<std::uint16_t> bfloats = {0x3F80, 0xC000, 0x0001, 0xFF80};
  const std::vector<float> bfloat_values = {1.0F, -2.0F, 9.18355e-41F, -std::numeric_limits<float>::infinity()};
  std::string data(24, '\0');
  std::memcpy(data.data(), halves.data(), 16);
  std::memcpy(data.data() + 16, bfloats.data(), 8);
  // One space more than a multiple of two, so that the words lie unaligned.
  const std::string header =
      R"({"h":{"dtype":"F16","shape":[8],"data_offsets":[0,16]},"b":{"dtype":"BF16","shape":[4],"data_offsets":[16,24]}})";
  const TemporaryFolder folder;
  write_file(folder / "x.safetensors", file_bytes(header + (header.size() % 2 == 0 ? " " : ""), data));
  const SafetensorsReader reader(folder / "x.safetensors");
  EXPECT_EQ(read(reader, "h", {8}), half_values);
  EXPECT_EQ(read(reader, "b", {4}), bfloat_values);
  EXPECT_TRUE(std::signbit(read(reader, "h", {8})[3]));
}

TEST(SafetensorsTest, SaysWhichTensorDoesNotFit) {
  const TemporaryFolder folder;
  const std::vector<float> values(6);
  const std::vector<TensorToStore> tensors = {{"layers.0.weight", {2, 3}, values}};
  write_safetensors(folder / "x.safetensors", tensors);
  const std::string file = (folder / "x.safetensors").string();
  const SafetensorsReader reader(folder / "x.safetensors");
  std::vector<float> out(6);
  const std::array<std::int64_t, 2> turned = {3, 2};
  EXPECT_EQ(error_message([&] { reader.read_f32("layers.0.weight", turned, out); }),
            file + ": tensor 'layers.0.weight': shape [2, 3], expected [3, 2]");
  EXPECT_EQ(error_message([&] { reader.read_f32("layers.0.weigth", turned, out); }),
            file + ": no tensor 'layers.0.weigth' (did you mean 'layers.0.weight'?)");
  write_file(folder / "i.safetensors",
             file_bytes(R"({"i":{"dtype":"I64","shape":[1],"data_offsets":[0,8]}})", std::string(8, 'x')));
  const SafetensorsReader integers(folder / "i.safetensors");
  std::vector<float> one(1);
  const std::array<std::int64_t, 1> shape = {1};
  EXPECT_EQ(error_message([&] { integers.read_f32("i", shape, one); }),
            (folder / "i.safetensors").string() + ": tensor 'i': dtype I64, expected F32, F16 or BF16");
}

TEST(SafetensorsTest, ShardsWithoutTheirIndexAreNamed) {
  const TemporaryFolder folder;
  const std::string missing =
      folder.path().string() + ": no weights: looked for model.safetensors and model.safetensors.index.json";
  const auto message = [&] { return error_message([&] { SafetensorsReader{folder.path()}; }); };
  write_file(folder / "pytorch_model.bin.index.json", "{}");
  EXPECT_EQ(message(), missing);
  write_file(folder / "model-00001-of-00003.safetensors", "");
  EXPECT_EQ(message(),
            missing + "; model-00001-of-00003.safetensors is there: shards need model.safetensors.index.json");
  write_file(folder / "consolidated.safetensors", "");
  write_file(folder / "pytorch_model.bin", "");
  EXPECT_EQ(message(), missing +
                           "; consolidated.safetensors and 1 more are there: shards need model.safetensors.index.json"
                           "; pytorch_model.bin is of a format that is not read");
}

TEST(SafetensorsTest, SaysWhatIsMissing) {
  const TemporaryFolder folder;
  EXPECT_EQ(error_message([&] { SafetensorsReader{folder.path()}; }),
            folder.path().string() + ": no weights: looked for model.safetensors and model.safetensors.index.json");
  write_file(folder / "pytorch_model.bin", "");
  write_file(folder / "tokenizer.json", "");
  const auto message = [&] { return test::error_message([&] { SafetensorsReader reader(folder.path()); }); };
  EXPECT_NE(message().find("; pytorch_model.bin is of a format that is not read"), std::string::npos) << message();
  write_file(folder / "model.gguf", "");
  EXPECT_NE(message().find("; model.gguf and 1 more are of formats that are not read"), std::string::npos) << message();
  EXPECT_EQ(error_message([&] { SafetensorsReader{folder / "no.safetensors"}; }),
            (folder / "no.safetensors").string() + ": cannot open: No such file or directory");
}

TEST(SafetensorsTest, RefusesBrokenFiles) {
  const std::string good = R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})";
  ASSERT_EQ(header_refusal(good), "no error");
  const std::string at = "m.safetensors: tensor 'a': ";
  EXPECT_EQ(refusal(""), "m.safetensors: no safetensors file: 0 bytes, expected at least 8");
  EXPECT_EQ(refusal("1234567"), "m.safetensors: no safetensors file: 7 bytes, expected at least 8");
  EXPECT_EQ(refusal(std::string(8, '\xff')),
            "m.safetensors: no safetensors file: a header of 18446744073709551615 bytes, expected at most 100000000");
  EXPECT_EQ(refusal(std::string("\x09\0\0\0\0\0\0\0{}", 10)),
            "m.safetensors: a header of 9 bytes in a file of 10; is it cut short?");
  EXPECT_EQ(refusal("<!DOCTYPE html>").substr(0, 37), "m.safetensors: no safetensors file: a");
  EXPECT_TRUE(header_refusal("{\"a\":").starts_with("m.safetensors: header: invalid JSON at byte 6"));
  EXPECT_TRUE(header_refusal("").starts_with("m.safetensors: header: invalid JSON at byte 1"));
  EXPECT_EQ(header_refusal("[]"), "m.safetensors: the header is [], expected an object");
  EXPECT_EQ(header_refusal(good.substr(0, good.size() - 1) + "," + good.substr(1)),
            "m.safetensors: header: invalid JSON: key \"a\" stands twice in one object");
  EXPECT_EQ(header_refusal(R"({"__metadata__":[]})"), "m.safetensors: __metadata__ is [], expected an object");
  EXPECT_EQ(header_refusal(R"({"__metadata__":{"k":1}})"), "m.safetensors: __metadata__: 'k' is 1, expected a string");
  EXPECT_EQ(header_refusal(R"({"a":3})"), at + "the entry is 3, expected an object");
  EXPECT_EQ(header_refusal(R"({"a":{"shape":[2],"data_offsets":[0,8]}})"), at + "the entry has no dtype");
  EXPECT_TRUE(header_refusal(R"({"a":{"dtype":"F31","shape":[2],"data_offsets":[0,8]}})")
                  .starts_with(at + "unknown dtype \"F31\" (known: F64, F32, "));
  EXPECT_TRUE(
      header_refusal(R"({"a":{"dtype":4,"shape":[2],"data_offsets":[0,8]}})").starts_with(at + "unknown dtype 4"));
  EXPECT_EQ(header_refusal(R"({"a":{"dtype":"F32","shape":2,"data_offsets":[0,8]}})"),
            at + "shape is 2, expected a list of sizes");
  EXPECT_EQ(header_refusal(R"({"a":{"dtype":"F32","shape":[-2],"data_offsets":[0,8]}})"),
            at + "shape [-2] has -2, expected sizes of 0 or more");
  EXPECT_EQ(header_refusal(R"({"a":{"dtype":"F32","shape":[2.0],"data_offsets":[0,8]}})"),
            at + "shape [2.0] has 2.0, expected sizes of 0 or more");
  EXPECT_EQ(header_refusal(R"({"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,8]}})"),
            at + "shape [4294967296,4294967296] is too large");
  EXPECT_EQ(header_refusal(R"({"a":{"dtype":"F32","shape":[0,4294967296,4294967296],"data_offsets":[0,0]}})"),
            at + "shape [0,4294967296,4294967296] is too large");
  EXPECT_EQ(header_refusal(R"({"a":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}})"),
            at + "has 8 bytes, expected 12 for shape [3] of F32");
  EXPECT_EQ(header_refusal(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[8,0]}})"),
            at + "data_offsets [8,0] are no range");
  EXPECT_EQ(header_refusal(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8,8]}})"),
            at + "data_offsets [0,8,8] are no range");
  EXPECT_EQ(header_refusal(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[-8,0]}})"),
            at + "data_offsets [-8,0] are no range");
  EXPECT_EQ(header_refusal(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}})"),
            at + "data_offsets [4,12] reach beyond the 8 bytes of data; is the file cut short?");
  EXPECT_EQ(header_refusal(R"({"a":{"dtype":"U8","shape":[2],"data_offsets":[0,18446744073709551615]}})"),
            at + "data_offsets [0,18446744073709551615] are no range");
}

TEST(SafetensorsTest, RefusesOverlapHolesAndRest) {
  const auto two = [](const std::string& a, const std::string& b) {
    return header_refusal(R"({"a":{"dtype":"U8","shape":[4],"data_offsets":)" + a +
                          R"(},"b":{"dtype":"U8","shape":[4],"data_offsets":)" + b + "}}");
  };
  EXPECT_EQ(two("[0,4]", "[4,8]"), "no error");
  EXPECT_EQ(two("[4,8]", "[0,4]"), "no error");
  EXPECT_EQ(two("[0,4]", "[2,6]"), "m.safetensors: tensor 'b': overlaps another tensor at byte 2");
  EXPECT_EQ(two("[0,4]", "[0,4]"), "m.safetensors: tensor 'b': overlaps another tensor at byte 0");
  EXPECT_EQ(header_refusal(R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[4,8]}})"),
            "m.safetensors: tensor 'a': begins at byte 4, but the tensors before end at 0");
  EXPECT_EQ(header_refusal(R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]}})"),
            "m.safetensors: 8 bytes of data, but the tensors end at 4");
}

class ShardsTest : public ::testing::Test {
 protected:
  ShardsTest() {
    write_safetensors(folder_ / "one.safetensors", std::vector<TensorToStore>{{"a", {1}, ones_}, {"c", {1}, ones_}});
    write_safetensors(folder_ / "two.safetensors", std::vector<TensorToStore>{{"b", {1}, twos_}, {"a", {1}, twos_}});
  }
  std::string refusal_of(const std::string& index) {
    write_file(folder_ / "model.safetensors.index.json", index);
    const std::string message = error_message([&] { SafetensorsReader{folder_.path()}; });
    const std::string prefix = (folder_ / "model.safetensors.index.json").string() + ": ";
    return message.starts_with(prefix) ? message.substr(prefix.size()) : message;
  }

  TemporaryFolder folder_;
  std::vector<float> ones_ = {1.0F};
  std::vector<float> twos_ = {2.0F};
};

TEST_F(ShardsTest, TheIndexDecides) {
  EXPECT_EQ(refusal_of(R"({"metadata": {}, "weight_map": {"a": "one.safetensors", "b": "two.safetensors"}})"),
            "no error");
  const SafetensorsReader reader(folder_.path());
  EXPECT_EQ(read(reader, "a", {1}), ones_);
  EXPECT_EQ(read(reader, "b", {1}), twos_);
  EXPECT_FALSE(reader.contains("c"));
}

TEST_F(ShardsTest, RefusesBrokenIndexes) {
  EXPECT_EQ(refusal_of("[]"), "expected an object with a weight_map from tensors to files");
  EXPECT_EQ(refusal_of(R"({"weight_map": 1})"), "expected an object with a weight_map from tensors to files");
  EXPECT_EQ(refusal_of(R"({"weight_map": {"a": 1}})"), "tensor 'a': its file is 1, expected a name");
  for (const char* name :
       {"../one.safetensors", "/etc/passwd", "sub/one.safetensors", "..", ".", "", "a\\\\b", "a\\u0000"}) {
    const std::string message = refusal_of(R"({"weight_map": {"a": ")" + std::string(name) + "\"}}");
    EXPECT_TRUE(message.ends_with("is no plain file name")) << message;
  }
  EXPECT_EQ(refusal_of(R"({"weight_map": {"z": "one.safetensors"}})"),
            "tensor 'z' is not in one.safetensors, where the index says it is");
  EXPECT_EQ(refusal_of(R"({"weight_map": {"a": "three.safetensors"}})"),
            (folder_ / "three.safetensors").string() + ": cannot open: No such file or directory");
}

TEST(SafetensorsTest, DamageIsAnErrorOrHarmless) {
  const std::string valid = file_bytes(
      R"({"__metadata__":{"format":"pt"},"a":{"dtype":"F32","shape":[2,2],"data_offsets":[0,16]},)"
      R"("bb":{"dtype":"BF16","shape":[3],"data_offsets":[16,22]},"c":{"dtype":"I8","shape":[],"data_offsets":[22,23]}})",
      std::string(23, '\x3f'));
  ASSERT_EQ(refusal(valid), "no error");
  Random random(7);
  int refused = 0;
  for (int i = 0; i < 5000; ++i) {
    const std::string damaged = test::mutated(valid, random);
    try {
      const SafetensorsContent content = parse(damaged);
      for (const auto& [name, tensor] : content.tensors) {
        EXPECT_EQ(tensor.bytes.size(), static_cast<std::size_t>(tensor.numel()) * dtype_bytes(tensor.dtype));
        EXPECT_GE(tensor.bytes.data(), static_cast<const void*>(damaged.data()));
        EXPECT_LE(tensor.bytes.data() + tensor.bytes.size(), static_cast<const void*>(damaged.data() + damaged.size()));
      }
    } catch (const Error&) {
      ++refused;
    }
  }
  EXPECT_GT(refused, 3000);
}

}  // namespace safetensors_test
}  // namespace witan
