// What routers of the table must keep in which rows and experts do not choose each other: every expert serves every
// row, experts see mixtures of rows, or rows retrieve single neurons. Run on the whole layer, since what they have in
// common is what comes out of it. Every such entry must have a case here.
#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <ostream>
#include <set>

#include "layers/moe_layer.h"
#include "routers/table.h"
#include "support/compare.h"
#include "support/error_message.h"
#include "support/gradient_check.h"

namespace witan {
namespace other_kinds_contract_test {

constexpr std::int64_t kWidth = 6;

struct KindCase {
  std::string name;
  std::string router;
  std::vector<std::pair<std::string, std::string>> settings;
};
std::ostream& operator<<(std::ostream& stream, const KindCase& kind_case) { return stream << kind_case.name; }

std::vector<KindCase> kind_cases() {
  const auto peer = [](const std::string& norm) {
    return KindCase{"peer_" + norm,
                    "peer",
                    {{"num_experts", "16"},
                     {"num_experts_per_tok", "6"},
                     {"peer_heads", "2"},
                     {"peer_key_size", "3"},
                     {"peer_query_norm", norm},
                     {"moe_intermediate_size", "1"},
                     {"gated", "false"},
                     {"hidden_act", "gelu"}}};
  };
  return {{"dense", "dense", {{"num_experts", "4"}, {"num_experts_per_tok", "4"}}},
          {"soft_moe", "soft_moe", {{"num_experts", "4"}}},
          {"soft_moe_three_slots", "soft_moe", {{"num_experts", "2"}, {"slots_per_expert", "3"}}},
          peer("none"),
          peer("layer"),
          peer("batch")};
}

class OtherKindsContract : public testing::TestWithParam<KindCase> {
 protected:
  static MoeOptions options() {
    MoeOptions all;
    all.router = GetParam().router;
    all.moe_intermediate_size = 5;
    all.initializer_range = 0.5;
    all.router_init_scale = 4.0;
    const Fields fields = all.fields();
    for (const auto& [name, value] : GetParam().settings) fields.find(name).set(value);
    return all;
  }
  static const RouterEntry& entry() { return find_router(GetParam().router); }
  static std::unique_ptr<MoeLayer> make(std::uint64_t seed = 2) {
    Random random(seed);
    return std::make_unique<MoeLayer>(kWidth, options(), random);
  }
  static Tensor forward(MoeLayer& layer, const Tensor& rows, const RouterContext& context = {}) {
    Tape off;
    const MoeOutput output = layer.forward(off, rows, context);
    output.routing.assignment->validate();
    return output.rows;
  }
};

TEST_P(OtherKindsContract, LayerGradientsMatchCentralDifferences) {
  for (const bool training : {false, true}) {
    const auto layer = make();
    std::vector<Tensor> inputs = {test::random_tensor({4, kWidth}, 5)};
    for (const Parameter& parameter : layer->parameters()) inputs.push_back(parameter.value);
    EXPECT_TRUE(test::gradients_match(
        [&](Tape& tape, std::span<const Tensor> x) {
          return layer->forward(tape, x[0], {.training = training, .rows_per_sequence = 2}).rows;
        },
        inputs, 1e-3F, 2e-2F))
        << training;
  }
}

TEST_P(OtherKindsContract, EveryParameterLearns) {
  const auto layer = make();
  Tape tape(Tape::Mode::kRecording);
  const MoeOutput output = layer->forward(tape, test::random_tensor({9, kWidth}, 3), {.training = true});
  tape.backward(output.rows, test::random_tensor({9, kWidth}, 4));
  for (const Parameter& parameter : layer->parameters()) {
    ASSERT_TRUE(parameter.value.grad().present()) << parameter.name;
    EXPECT_GT(test::max_abs(parameter.value.grad().values()), 1e-7F) << parameter.name;
  }
}

TEST_P(OtherKindsContract, SeedDecidesAndEvaluationDrawsNothing) {
  const Tensor rows = test::random_tensor({6, kWidth}, 3);
  const Tensor first = forward(*make(), rows);
  EXPECT_TRUE(test::identical(first.values(), forward(*make(), rows).values()));
  EXPECT_FALSE(test::identical(first.values(), forward(*make(3), rows).values()));
  Random random(9);
  forward(*make(), rows, {.random = &random});
  EXPECT_EQ(random.position(), 0U);
}

TEST_P(OtherKindsContract, PermutingTheRowsPermutesTheOutput) {
  const auto layer = make();
  const Tensor rows = test::random_tensor({7, kWidth}, 3);
  const Tensor reversed = Tensor::uninitialized(rows.shape());
  for (std::int64_t row = 0; row < 7; ++row)
    std::copy_n(rows.matrix().row(row), kWidth, reversed.matrix().row(6 - row));
  const Tensor before = forward(*layer, rows);
  const Tensor after = forward(*layer, reversed);
  for (std::int64_t row = 0; row < 7; ++row) {
    EXPECT_TRUE(test::near({after.matrix().row(6 - row), kWidth}, {before.matrix().row(row), kWidth}, 1e-4F));
  }
}

TEST_P(OtherKindsContract, CausalityIsAsDeclared) {
  bool changed = false;
  for (const bool training : {false, true}) {
    const Tensor rows = test::random_tensor({8, kWidth}, 3);
    const Tensor other = test::random_tensor({8, kWidth}, 4);
    std::copy_n(rows.data(), 4 * kWidth, other.data());
    const RouterContext context{.training = training};
    const Tensor first = forward(*make(), rows, context);
    const Tensor second = forward(*make(), other, context);
    changed |= !std::equal(first.data(), first.data() + 4 * kWidth, second.data());
  }
  EXPECT_EQ(entry().causal_safe(options()), !changed);
}

TEST_P(OtherKindsContract, MaskedRowsAreZeroAndSeenByNobody) {
  const Tensor rows = test::random_tensor({6, kWidth}, 3);
  const Tensor other = Tensor::from(rows.shape(), rows.values());
  std::fill_n(other.matrix().row(1), kWidth, 3.0F);
  const std::vector<std::uint8_t> mask = {1, 0, 1, 1, 0, 0};
  for (const bool training : {false, true}) {
    const RouterContext context{.training = training, .rows_per_sequence = 3, .row_mask = mask};
    const Tensor first = forward(*make(), rows, context);
    const Tensor second = forward(*make(), other, context);
    EXPECT_TRUE(test::identical(first.values(), second.values()));
    for (std::int64_t row = 0; row < 6; ++row) {
      const bool zero = test::max_abs({first.matrix().row(row), kWidth}) == 0.0F;
      EXPECT_EQ(zero, mask[static_cast<std::size_t>(row)] == 0) << row;
    }
  }
}

TEST_P(OtherKindsContract, OneRowAndNoRows) {
  const auto layer = make();
  EXPECT_EQ(forward(*layer, test::random_tensor({1, kWidth}, 3), {.training = true}).shape(), (Shape{1, kWidth}));
  EXPECT_EQ(forward(*layer, Tensor::zeros({0, kWidth})).shape(), (Shape{0, kWidth}));
}

TEST_P(OtherKindsContract, RowsThatAreNotNumbersAreNamed) {
  const Tensor rows = test::random_tensor({6, kWidth}, 3);
  rows.matrix()(4, 2) = std::numeric_limits<float>::quiet_NaN();
  const auto layer = make();
  const std::string message = test::error_message([&] { forward(*layer, rows); });
  EXPECT_NE(message.find("row 4"), std::string::npos) << message;
}

TEST_P(OtherKindsContract, ItsEntryIsFilled) {
  for (const std::string* const text : {&entry().summary, &entry().formula, &entry().paper, &entry().causality,
                                        &entry().inference_rule, &entry().cost}) {
    EXPECT_FALSE(text->empty());
    EXPECT_EQ(text->find_first_of("|\n"), std::string::npos) << "breaks the table of docs/routers.md: " << *text;
  }
}

INSTANTIATE_TEST_SUITE_P(EveryRouter, OtherKindsContract, testing::ValuesIn(kind_cases()),
                         [](const auto& test) { return test.param.name; });

TEST(OtherKindsCases, CoverTheTable) {
  std::set<std::string> covered;
  for (const KindCase& one : kind_cases()) covered.insert(one.router);
  for (const RouterEntry& entry : router_table()) {
    EXPECT_EQ(covered.contains(entry.name), entry.kind != RouterKind::kChoice) << entry.name;
  }
}

}  // namespace other_kinds_contract_test
}  // namespace witan
