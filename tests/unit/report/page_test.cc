// The one place where data becomes part of HTML: nothing in it may end the script or change its value.
#include "report/page.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/error.h"

namespace witan {
namespace page_test {

using nlohmann::json;

constexpr const char* kGap = "{\"witan\":\"data\"}";

TEST(Page, JsonForScriptHoldsNothingThatHtmlOrOldScriptReads) {
  const json data = {{"</script><!--",
                      "a\xE2\x80\xA8"
                      "b\xE2\x80\xA9"
                      "c<script>"}};
  const std::string text = json_for_script(data);
  EXPECT_EQ(text.find('<'), std::string::npos) << text;
  EXPECT_EQ(text.find("\xE2\x80\xA8"), std::string::npos) << text;
  EXPECT_EQ(text.find("\xE2\x80\xA9"), std::string::npos) << text;
  EXPECT_EQ(json::parse(text), data);
}

TEST(Page, JsonForScriptKeepsEverythingElse) {
  const json data = {{"text", "日本語 \"quoted\" \\ \n & > \xE2\x80\xA6"}, {"numbers", {1, 2.5, -3e-7, nullptr, true}}};
  EXPECT_EQ(json_for_script(data), data.dump());
}

TEST(Page, FillPutsTheDataIntoTheGap) {
  const json data = {{"a", "</script>"}};
  EXPECT_EQ(fill_page(std::string("before ") + kGap + " after", data), "before {\"a\":\"\\u003c/script>\"} after");
}

TEST(Page, FillNeedsExactlyOneGap) {
  EXPECT_THROW(fill_page("none", json()), Bug);
  EXPECT_THROW(fill_page(std::string(kGap) + kGap, json()), Bug);
}

TEST(Page, TheEmbeddedTemplateIsWholeAndAsksForNoOtherFile) {
  const std::string page = fill_page(report_template(), {{"name", "x"}});
  EXPECT_TRUE(page.starts_with("<!doctype html>"));
  EXPECT_TRUE(page.ends_with("</html>\n"));
  for (const char* outside : {"<link", "src=\"", "@import", "url(http", "import("}) {
    EXPECT_EQ(page.find(outside), std::string::npos) << outside;
  }
}

}  // namespace page_test
}  // namespace witan
