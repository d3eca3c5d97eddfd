// The numbers behind the pictures: what is held, what moves, and that they say what predictions say.
#include "mixtures/portrait.h"

#include <fmt/core.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/random.h"
#include "mixtures/report_json.h"
#include "mixtures/row_distribution.h"

namespace witan::mixtures {
namespace portrait_test {

struct Pictured {
  explicit Pictured(const std::string& family) {
    Random random(4);
    std::string text = "x,z,colour,y\n";
    for (int n = 0; n < 150; ++n) {
      const double x = 4.0 * random.uniform_open();
      const double z = random.uniform_open();
      const bool red = n % 3 == 0;
      const double y = (random.uniform_open() < z ? x : 6.0 - x) + (red ? 1.0 : 0.0) + 0.3 * random.normal();
      text += fmt::format("{},{},{},{}\n", x, z, red ? "red" : "blue",
                          family == "logistic" ? (y > 3.0 ? "1" : "0") : fmt::format("{}", y));
    }
    const CsvTable table = parse_csv(text, "t.csv");
    DesignRequest request;
    request.formula = parse_formula("y ~ x + x^2 + colour | gate ~ x + z");
    request.target = find_family(family).target;
    built = build_design(table, request);
    backdrop = Backdrop::of(table, built, 40);
    FitOptions options;
    options.family = family;
    options.restarts = 3;
    fit = fit_mixture(built.sample, options);
    portrait = portray(fit, built.design, backdrop);
  }
  BuiltDesign built;
  Backdrop backdrop;
  Fit fit;
  Portrait portrait;
};

TEST(PortraitTest, ProfilesMoveOneColumnOfTheTableAndHoldTheOthers) {
  const Pictured pictured("gaussian");
  ASSERT_EQ(pictured.backdrop.inputs.size(), 3U);  // x and x^2 are one column
  EXPECT_EQ(pictured.backdrop.of_rows, 150);
  EXPECT_EQ(pictured.portrait.rows.size(), 40U);
  ASSERT_EQ(pictured.portrait.profiles.size(), 3U);
  for (const Profile& profile : pictured.portrait.profiles) {
    const TableInput& input = pictured.backdrop.inputs[static_cast<std::size_t>(profile.input)];
    if (input.name == "colour") {
      EXPECT_EQ(profile.at, (std::vector<double>{0.0, 1.0}));
      EXPECT_EQ(input.usual, 0.0);  // blue
      EXPECT_EQ(profile.influence, 0.0);
    }
    // Against the prediction of the same row, from a table as a user would write it.
    std::string names;
    std::string moved;
    std::string held;
    const std::size_t last = profile.at.size() - 1;
    for (std::size_t j = 0; j < pictured.backdrop.inputs.size(); ++j) {
      const TableInput& other = pictured.backdrop.inputs[j];
      const auto text = [&](double value) {
        return other.levels.empty() ? fmt::format("{}", value) : other.levels[static_cast<std::size_t>(value)];
      };
      names += other.name + ",";
      moved += text(static_cast<int>(j) == profile.input ? profile.at[last] : other.usual) + ",";
      held += (other.levels.empty() ? "1" : "red") + std::string(",");
    }
    const CsvTable table = parse_csv(names + "n\n" + moved + "1\n" + held + "2\n", "o");
    const Prepared rows =
        Prepared::under(pictured.fit.frame, apply_design(table, pictured.built.design, {}, TargetKind::kNumber).sample);
    const RowDistribution row(*pictured.fit.model, rows, 0);
    EXPECT_NEAR(profile.means[0][last], row.mean()[0], 1e-9) << input.name;
    EXPECT_NEAR(profile.gate[1][last], row.gate()[1], 1e-12);
    EXPECT_NEAR(profile.quantiles[4][last], row.quantile(0.95), 1e-9);
  }
  ASSERT_EQ(pictured.portrait.maps.size(), 1U);
  EXPECT_EQ(pictured.portrait.maps[0].gate[0].size(), 41U * 41U);
}

TEST(PortraitTest, JsonHoldsNoMoreThanThereIs) {
  const Pictured pictured("logistic");
  const nlohmann::json json = portrait_json(pictured.portrait, pictured.backdrop);
  EXPECT_TRUE(json.at("profiles")[0].at("quantiles").empty());
  EXPECT_EQ(json.at("profiles")[0].at("means").size(), 2U);
  EXPECT_EQ(json.at("rows").size(), 40U);
  const Prepared rows = Prepared::under(pictured.fit.frame, pictured.built.sample);
  const nlohmann::json calibration = calibration_json(calibrate(*pictured.fit.model, rows), pictured.fit.frame);
  EXPECT_EQ(calibration.at("reliability").size(), 15U);
  EXPECT_FALSE(calibration.contains("pit"));
}

}  // namespace portrait_test
}  // namespace witan::mixtures
