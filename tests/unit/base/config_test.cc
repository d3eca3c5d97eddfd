// Fields: what is accepted, what is refused and in which words, and that JSON round-trips.
#include "base/config.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "support/error_message.h"

namespace witan {
namespace base_config_test {

struct Inner {
  std::int64_t num_experts = 8;
  std::int64_t num_experts_per_tok = 2;
  std::string router = "top_k";
  Fields fields() {
    Fields f("moe");
    f.integer("num_experts", num_experts, 1, 1024, "experts");
    f.integer("num_experts_per_tok", num_experts_per_tok, 1, 8, "experts per token");
    f.choice("router", router, {"top_k", "switch"}, "rule");
    return f;
  }
};

struct Outer {
  double dropout = 0.1;
  double scale = 1.0;
  bool tied = true;
  std::string name = "x";
  std::int64_t seed = 0;
  Inner inner;
  Fields fields() {
    Fields f("model");
    f.real("dropout", dropout, 0.0, 0.9, "share");
    f.real("scale", scale, 0.0, std::numeric_limits<double>::infinity(), "factor");
    f.flag("tied", tied, "tie");
    f.text("name", name, "name");
    f.integer("seed", seed, std::numeric_limits<std::int64_t>::min(), std::numeric_limits<std::int64_t>::max(), "seed");
    f.include(inner.fields());
    return f;
  }
};

std::string set(const std::string& name, const std::string& text) {
  Outer outer;
  return test::error_message([&] { outer.fields().find(name).set(text); });
}

std::string set_json(const std::string& text) {
  Outer outer;
  return test::error_message([&] { outer.fields().set_all(nlohmann::json::parse(text)); });
}

TEST(FieldsTest, SetsFromText) {
  Outer outer;
  const Fields fields = outer.fields();
  fields.find("num_experts").set("16");
  fields.find("dropout").set("2.5e-1");
  fields.find("tied").set("no");
  fields.find("name").set("a b");
  fields.find("router").set("switch");
  fields.find("seed").set("-9223372036854775808");
  EXPECT_EQ(outer.inner.num_experts, 16);
  EXPECT_EQ(outer.dropout, 0.25);
  EXPECT_FALSE(outer.tied);
  EXPECT_EQ(outer.name, "a b");
  EXPECT_EQ(outer.inner.router, "switch");
  EXPECT_EQ(outer.seed, std::numeric_limits<std::int64_t>::min());
  fields.find("seed").set("1e6");
  EXPECT_EQ(outer.seed, 1000000);
}

TEST(FieldsTest, SaysWhatIsWrongWithText) {
  EXPECT_EQ(set("num_experts_per_tok", "9"), "moe.num_experts_per_tok: 9 exceeds 8 (expected 1 to 8)");
  EXPECT_EQ(set("num_experts_per_tok", "0"), "moe.num_experts_per_tok: 0 is below 1 (expected 1 to 8)");
  EXPECT_EQ(set("num_experts", "many"), "moe.num_experts: expected an integer, 1 to 1024, got 'many'");
  EXPECT_EQ(set("num_experts", ""), "moe.num_experts: expected an integer, 1 to 1024, got ''");
  EXPECT_EQ(set("num_experts", "8x"), "moe.num_experts: expected an integer, 1 to 1024, got '8x'");
  EXPECT_EQ(set("num_experts", "2.5"), "moe.num_experts: expected an integer, 1 to 1024, got '2.5'");
  EXPECT_EQ(set("seed", "9223372036854775808"), "model.seed: expected an integer, got '9223372036854775808'");
  EXPECT_EQ(set("dropout", "0.95"), "model.dropout: 0.95 exceeds 0.9 (expected 0 to 0.9)");
  EXPECT_EQ(set("scale", "-1"), "model.scale: -1 is below 0 (expected at least 0)");
  EXPECT_EQ(set("scale", "nan"), "model.scale: nan is not a finite number");
  EXPECT_EQ(set("scale", "inf"), "model.scale: inf is not a finite number");
  EXPECT_EQ(set("tied", "maybe"), "model.tied: expected true or false, got 'maybe'");
  EXPECT_EQ(set("router", "swich"), "moe.router: unknown value 'swich' (did you mean 'switch'?)");
  EXPECT_EQ(set("router", "hash"), "moe.router: unknown value 'hash' (known: top_k, switch)");
}

TEST(FieldsTest, ChecksJsonTypes) {
  EXPECT_EQ(set_json(R"({"tied": 1})"), "model.tied: expected true or false, got 1");
  EXPECT_EQ(set_json(R"({"num_experts": "8"})"), "moe.num_experts: expected an integer, 1 to 1024, got \"8\"");
  EXPECT_EQ(set_json(R"({"num_experts": 3.5})"), "moe.num_experts: expected an integer, 1 to 1024, got 3.5");
  EXPECT_EQ(set_json(R"({"num_experts": true})"), "moe.num_experts: expected an integer, 1 to 1024, got true");
  EXPECT_EQ(set_json(R"({"num_experts": null})"), "moe.num_experts: expected an integer, 1 to 1024, got null");
  EXPECT_EQ(set_json(R"({"seed": 18446744073709551615})"), "model.seed: expected an integer, got 18446744073709551615");
  EXPECT_EQ(set_json(R"({"dropout": "0.1"})"), "model.dropout: expected a number, 0 to 0.9, got \"0.1\"");
  EXPECT_EQ(set_json(R"({"name": 3})"), "model.name: expected a string, got 3");
  EXPECT_EQ(set_json("[1]"), "model: expected a JSON object, got array");
  EXPECT_EQ(set_json(R"({"num_expert": 3})"),
            "model: unknown field 'num_expert' (did you mean 'num_experts' or 'num_experts_per_tok'?)");
}

TEST(FieldsTest, AWholeRealIsAnInteger) {
  Outer outer;
  outer.fields().set_all(nlohmann::json::parse(R"({"num_experts": 3.0, "scale": 2})"));
  EXPECT_EQ(outer.inner.num_experts, 3);
  EXPECT_EQ(outer.scale, 2.0);
}

TEST(FieldsTest, ARefusedValueLeavesTheTarget) {
  Outer outer;
  EXPECT_THROW(outer.fields().find("num_experts").set("5000"), Error);
  EXPECT_THROW(outer.fields().find("router").set("none"), Error);
  EXPECT_EQ(outer.inner.num_experts, 8);
  EXPECT_EQ(outer.inner.router, "top_k");
}

TEST(FieldsTest, JsonRoundTrips) {
  Outer outer;
  outer.dropout = 0.1 + 0.2;
  outer.tied = false;
  outer.name = "ä \"quoted\"";
  outer.seed = std::numeric_limits<std::int64_t>::max();
  outer.inner.router = "switch";
  const nlohmann::json written = nlohmann::json::parse(outer.fields().to_json().dump());
  Outer back;
  back.fields().set_all(written);
  EXPECT_EQ(back.fields().to_json(), outer.fields().to_json());
  EXPECT_EQ(back.dropout, outer.dropout);
  EXPECT_EQ(back.seed, outer.seed);
}

TEST(FieldsTest, KeepsTheDefaultForHelp) {
  Outer outer;
  const Fields fields = outer.fields();
  fields.find("dropout").set("0.5");
  EXPECT_EQ(fields.find("dropout").default_text, "0.1");
  EXPECT_EQ(fields.find("dropout").text(), "0.5");
  EXPECT_EQ(fields.find("tied").default_text, "true");
  EXPECT_EQ(fields.find("num_experts_per_tok").flag(), "--num-experts-per-tok");
  EXPECT_EQ(fields.find("router").range_text(), "one of: top_k, switch");
}

TEST(FieldsTest, DeclaringTwiceIsABug) {
  std::int64_t value = 1;
  Fields fields("a");
  fields.integer("x", value, 0, 2, "");
  EXPECT_THROW(fields.integer("x", value, 0, 2, ""), Bug);
  EXPECT_THROW(fields.integer("y", value, 2, 3, ""), Bug);
}

}  // namespace base_config_test
}  // namespace witan
