// A table is a line per coefficient, whatever the columns and categories are called.
#include "witan/fit_table.h"

#include <gtest/gtest.h>

#include <cmath>
#include <string>

#include "mixtures/fit.h"

namespace witan::cli {
namespace fit_table_test {

TEST(FitTableTest, NamesStayOnTheirLine) {
  mixtures::Sample sample;
  sample.columns = {{"colour=dark\nred\t\x1b[2J", {}}};
  sample.targets = {{"y\nield", {}}};
  for (int n = 0; n < 40; ++n) {
    sample.columns[0].values.push_back(n % 2);
    sample.targets[0].values.push_back(3.0 * (n % 2) + std::sin(n));
  }
  sample.expert_inputs = {0};
  mixtures::FitOptions options;
  options.experts = 1;
  const std::string table = fit_table(mixtures::fit_mixture(std::move(sample), options));
  EXPECT_NE(table.find("colour=dark\\nred\\t\u241b[2J "), std::string::npos) << table;
  EXPECT_EQ(table.find("\nred"), std::string::npos) << table;
  EXPECT_EQ(table.find("\nield"), std::string::npos) << table;
}

}  // namespace fit_table_test
}  // namespace witan::cli
