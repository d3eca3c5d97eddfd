// Options declared by table entries.
#include "base/extra_options.h"

#include <gtest/gtest.h>

#include <utility>

#include "base/error.h"

namespace witan {
namespace extra_options_test {

ExtraOptions every_type() {
  ExtraOptions options;
  options.declare({.name = "on", .value = true, .help = "a flag"});
  options.declare({.name = "count", .value = std::int64_t{3}, .help = "an integer", .minimum = 1.0});
  options.declare({.name = "share", .value = 0.5, .help = "a real", .minimum = 0.0, .maximum = 1.0});
  options.declare({.name = "rule", .value = std::string("a"), .help = "a choice", .choices = {"a", "b"}});
  options.declare({.name = "label", .value = std::string("x"), .help = "any text"});
  return options;
}

TEST(ExtraOptionsTest, FieldsReadAndWriteEachType) {
  ExtraOptions options = every_type();
  Fields fields("test");
  options.add_to(fields);
  fields.find("on").set("false");
  fields.find("count").set("7");
  fields.find("share").set("0.25");
  fields.find("rule").set("b");
  fields.find("label").set("y");
  EXPECT_FALSE(options.flag("on"));
  EXPECT_EQ(options.integer("count"), 7);
  EXPECT_EQ(options.real("share"), 0.25);
  EXPECT_EQ(options.text("rule"), "b");
  EXPECT_EQ(options.text("label"), "y");
  EXPECT_THROW(fields.find("count").set("0"), Error);
  EXPECT_THROW(fields.find("share").set("2"), Error);
  EXPECT_THROW(fields.find("rule").set("c"), Error);
}

TEST(ExtraOptionsTest, CopiesAreIndependent) {
  ExtraOptions options = every_type();
  const ExtraOptions copy = options;
  Fields fields("test");
  options.add_to(fields);
  fields.find("count").set("9");
  EXPECT_EQ(copy.integer("count"), 3);
}

TEST(ExtraOptionsTest, FieldsReferToTheValuesAfterAnAssignmentToo) {
  ExtraOptions options = every_type();
  Fields fields("test");
  options.add_to(fields);
  ExtraOptions other = every_type();
  Fields of_other("test");
  other.add_to(of_other);
  of_other.find("label").set("assigned");
  options = std::move(other);
  EXPECT_EQ(fields.find("label").text(), "assigned");
  fields.find("count").set("9");
  fields.find("label").set("set afterwards");
  EXPECT_EQ(options.integer("count"), 9);
  EXPECT_EQ(options.text("label"), "set afterwards");
}

TEST(ExtraOptionsTest, SharedDeclarationsMustAgree) {
  ExtraOptions options = every_type();
  EXPECT_NO_THROW(options.declare({.name = "on", .value = true, .help = "a flag"}));
  EXPECT_THROW(options.declare({.name = "on", .value = true, .help = "another flag"}), Bug);
  EXPECT_THROW(options.declare({.name = "on", .value = false, .help = "a flag"}), Bug);
  EXPECT_THROW(options.declare({.name = "on", .value = 1.0, .help = "a flag"}), Bug);
}

TEST(ExtraOptionsTest, UnknownNameOrTypeIsABug) {
  const ExtraOptions options = every_type();
  EXPECT_THROW(options.flag("off"), Bug);
  EXPECT_THROW(options.real("count"), Bug);
}

}  // namespace extra_options_test
}  // namespace witan
