// What every gate of the table must keep.
#include <gtest/gtest.h>

#include "gates/table.h"
#include "support/compare.h"
#include "support/gradient_check.h"

namespace witan {
namespace gate_contract_test {

constexpr std::int64_t kWidth = 6;
constexpr std::int64_t kExperts = 4;

class GateContract : public testing::TestWithParam<GateEntry> {
 protected:
  static std::unique_ptr<Gate> make(std::uint64_t seed) {
    GateOptions options;
    options.gate = GetParam().name;
    Random random(seed);
    return GetParam().make(options, kWidth, kExperts, random);
  }
};

TEST_P(GateContract, ScoresEveryExpertForEveryRowAlone) {
  const std::unique_ptr<Gate> gate = make(1);
  const Tensor rows = test::random_tensor({5, kWidth}, 2);
  Tape off;
  const Tensor scores = gate->scores(off, rows);
  EXPECT_EQ(scores.shape(), (Shape{5, kExperts}));
  EXPECT_EQ(gate->scores(off, Tensor::zeros({0, kWidth})).shape(), (Shape{0, kExperts}));
  for (std::int64_t row = 0; row < 5; ++row) {
    const Tensor alone = gate->scores(off, Tensor::from({1, kWidth}, {rows.matrix().row(row), kWidth}));
    EXPECT_TRUE(test::near(alone.values(), {scores.matrix().row(row), kExperts}, 1e-5F));
  }
}

TEST_P(GateContract, SeedDecides) {
  const Tensor rows = test::random_tensor({5, kWidth}, 2);
  Tape off;
  const Tensor scores = make(1)->scores(off, rows);
  EXPECT_TRUE(test::identical(scores.values(), make(1)->scores(off, rows).values()));
  EXPECT_FALSE(test::identical(scores.values(), make(3)->scores(off, rows).values()));
}

TEST_P(GateContract, GradientsMatchCentralDifferences) {
  const std::unique_ptr<Gate> gate = make(3);
  std::vector<Tensor> inputs = {test::random_tensor({3, kWidth}, 2)};
  for (const Parameter& parameter : gate->parameters()) inputs.push_back(parameter.value);
  EXPECT_GT(inputs.size(), 1U);
  // A short step: a gate may have kinks, which a difference quotient should not cross.
  EXPECT_TRUE(test::gradients_match([&](Tape& tape, std::span<const Tensor> x) { return gate->scores(tape, x[0]); },
                                    inputs, 1e-3F));
}

TEST_P(GateContract, ItsEntryIsFilled) {
  const GateEntry& entry = GetParam();
  for (const std::string* const text : {&entry.summary, &entry.formula, &entry.paper, &entry.cost}) {
    EXPECT_FALSE(text->empty());
    EXPECT_EQ(text->find_first_of("|\n"), std::string::npos) << *text;
  }
}

INSTANTIATE_TEST_SUITE_P(EveryGate, GateContract, testing::ValuesIn(gate_table().begin(), gate_table().end()),
                         [](const auto& test) { return test.param.name; });

}  // namespace gate_contract_test
}  // namespace witan
