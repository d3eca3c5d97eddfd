// NLLB's blend of mixture and shared expert, its budget and dropout, and expert output masking in the layer.
#include "layers/cmr_gate.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "layers/keep_mask.h"
#include "layers/moe_layer.h"
#include "support/compare.h"
#include "support/error_message.h"
#include "support/gradient_check.h"

namespace witan {
namespace cmr_gate_test {

constexpr std::int64_t kWidth = 4;

class CmrGateTest : public testing::Test {
 protected:
  CmrGateTest() { std::ranges::copy(test::random_tensor({kWidth}, 1).values(), gate_.parameters()[0].value.data()); }

  float gate_of(std::int64_t row) const {
    float sum = gate_.parameters()[1].value.data()[0];
    for (std::int64_t d = 0; d < kWidth; ++d) sum += gate_.parameters()[0].value.data()[d] * rows_.matrix()(row, d);
    return 1.0F / (1.0F + std::exp(-sum));
  }

  static CmrOptions options() {
    CmrOptions options;
    options.cmr_gate = true;
    options.cmr_budget = 0.7;
    options.cmr_budget_coef = 0.5;
    options.cmr_gate_dropout = 0.25;
    return options;
  }

  CmrGate gate_{options(), kWidth};
  Tensor rows_ = test::random_tensor({6, kWidth}, 2);
  Tensor shared_ = test::random_tensor({6, kWidth}, 3);
  Tensor mixed_ = test::random_tensor({6, kWidth}, 4);
};

TEST_F(CmrGateTest, BlendsRowByRowAndMeasuresTheBudget) {
  Tape off;
  const std::vector<std::uint8_t> mask = {1, 1, 0, 1, 1, 1};
  const CmrGate::Blend blend = gate_.blend(off, rows_, shared_, mixed_, {.row_mask = mask});
  float sum = 0.0F;
  for (std::int64_t row = 0; row < 6; ++row) {
    const float g = gate_of(row);
    if (row != 2) sum += g;
    for (std::int64_t d = 0; d < kWidth; ++d) {
      EXPECT_NEAR(blend.rows.matrix()(row, d), (1.0F - g) * shared_.matrix()(row, d) + g * mixed_.matrix()(row, d),
                  1e-5F);
    }
  }
  EXPECT_NEAR(blend.budget.unscaled, std::fabs(sum / 5.0F - 0.7F), 1e-6F);
  EXPECT_NEAR(blend.budget.value.item(), 0.5F * blend.budget.unscaled, 1e-6F);
}

TEST_F(CmrGateTest, GradientsMatchCentralDifferences) {
  std::vector<Tensor> inputs = {rows_, shared_, mixed_};
  for (const Parameter& parameter : gate_.parameters()) inputs.push_back(parameter.value);
  for (const bool budget : {false, true}) {
    EXPECT_TRUE(test::gradients_match(
        [&](Tape& tape, std::span<const Tensor> x) {
          const CmrGate::Blend blend = gate_.blend(tape, x[0], x[1], x[2], {});
          return budget ? blend.budget.value : blend.rows;
        },
        inputs, 1e-3F));
  }
}

TEST_F(CmrGateTest, ADroppedGateLeavesTheSharedExpertAloneWithoutRescaling) {
  const Tensor rows = Tensor::full({4000, kWidth}, 0.3F);
  const Tensor shared = Tensor::full({4000, kWidth}, 1.0F);
  const Tensor mixed = Tensor::full({4000, kWidth}, 3.0F);
  Tape off;
  Random random(5);
  const Tensor still = gate_.blend(off, rows, shared, mixed, {.random = &random}).rows;
  EXPECT_EQ(random.position(), 0U);
  const Tensor trained = gate_.blend(off, rows, shared, mixed, {.training = true, .random = &random}).rows;
  int dropped = 0;
  for (std::int64_t row = 0; row < 4000; ++row) {
    const float value = trained.matrix()(row, 0);
    dropped += value == 1.0F;
    EXPECT_TRUE(value == 1.0F || value == still.matrix()(row, 0)) << value;
  }
  EXPECT_NEAR(dropped, 1000, 5 * 28);  // five standard deviations
}

TEST_F(CmrGateTest, AtTheBudgetTheSlopeIsZero) {
  CmrOptions half = options();
  half.cmr_budget = 0.5;
  const CmrGate gate(half, kWidth);  // zeros: G = 1/2 everywhere
  Tape tape(Tape::Mode::kRecording);
  const CmrGate::Blend blend = gate.blend(tape, rows_, shared_, mixed_, {});
  EXPECT_EQ(blend.budget.unscaled, 0.0F);
  tape.backward(blend.budget.value);
  EXPECT_EQ(test::max_abs(gate.parameters()[0].value.grad().values()), 0.0F);
}

TEST(KeepMaskTest, EdgesAndShare) {
  Random random(1);
  const Tensor all = keep_mask({100}, 0.0, random);
  const Tensor none = keep_mask({100}, 1.0, random);
  for (const float value : all.values()) EXPECT_EQ(value, 1.0F);
  for (const float value : none.values()) EXPECT_EQ(value, 0.0F);
}

MoeOptions layer_options() {
  MoeOptions options;
  options.num_experts = 4;
  options.num_experts_per_tok = 2;
  options.moe_intermediate_size = 5;
  options.initializer_range = 0.5;
  options.router_init_scale = 4.0;
  return options;
}

TEST(NllbLayerTest, TheCmrGateIsPartOfTheLayer) {
  MoeOptions options = layer_options();
  options.cmr_gate = true;
  Random random(1);
  EXPECT_NE(test::error_message([&] { MoeLayer(kWidth, options, random); }).find("n_shared_experts"),
            std::string::npos);
  options.n_shared_experts = 1;
  MoeLayer layer(kWidth, options, random);
  Tape off;
  const MoeOutput output = layer.forward(off, test::random_tensor({5, kWidth}, 2), {});
  EXPECT_EQ(output.balance[0].name, "cmr_budget");
  EXPECT_NEAR(output.balance[0].unscaled, 0.3F, 1e-6F);  // G starts at 1/2
  const auto named = [](const Parameter& parameter) { return parameter.name == "cmr_gate.weight"; };
  EXPECT_EQ(std::ranges::count_if(layer.parameters(), named), 1);
}

TEST(NllbLayerTest, ExpertOutputMaskingKeepsTheMean) {
  MoeOptions options = layer_options();
  Random random(1);
  MoeLayer plain(kWidth, options, random);
  options.expert_output_masking = 0.3;
  Random again(1);
  MoeLayer masked(kWidth, options, again);
  const Tensor rows = test::random_tensor({3, kWidth}, 2);
  Tape off;
  const Tensor full = plain.forward(off, rows, {}).rows;
  const Tensor evaluated = masked.forward(off, rows, {}).rows;
  for (std::size_t i = 0; i < full.values().size(); ++i) {
    EXPECT_NEAR(evaluated.values()[i], 0.7F * full.values()[i], 1e-6F);
  }
  std::vector<double> mean(full.values().size(), 0.0);
  constexpr int kDraws = 4000;
  for (int draw = 0; draw < kDraws; ++draw) {
    const Tensor trained = masked.forward(off, rows, {.training = true, .random = &random}).rows;
    for (std::size_t i = 0; i < mean.size(); ++i) mean[i] += static_cast<double>(trained.values()[i]) / kDraws;
  }
  const double scale = static_cast<double>(test::max_abs(full.values()));
  for (std::size_t i = 0; i < mean.size(); ++i) {
    EXPECT_NEAR(mean[i], static_cast<double>(evaluated.values()[i]), 0.05 * scale);
  }
}

// Each choice is masked alone, so that a row with one choice vanishes as a whole.
TEST(NllbLayerTest, WithOneChoicePerRowARowIsThereOrNot) {
  MoeOptions options = layer_options();
  options.num_experts_per_tok = 1;
  options.weighting = "softmax_then_topk";
  options.expert_output_masking = 0.5;
  Random random(1);
  MoeLayer layer(kWidth, options, random);
  Tape off;
  const Tensor trained =
      layer.forward(off, Tensor::full({400, kWidth}, 0.7F), {.training = true, .random = &random}).rows;
  int zeros = 0;
  for (std::int64_t row = 0; row < 400; ++row) zeros += test::max_abs({trained.matrix().row(row), kWidth}) == 0.0F;
  EXPECT_NEAR(zeros, 200, 50);
}

}  // namespace cmr_gate_test
}  // namespace witan
