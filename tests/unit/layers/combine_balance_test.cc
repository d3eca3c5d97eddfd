// Balance terms of several layers made into those of a model.
#include <gtest/gtest.h>

#include "autograd/ops/elementwise.h"
#include "layers/moe_layer.h"
#include "support/compare.h"
#include "support/gradient_check.h"

namespace witan {
namespace combine_balance_test {

constexpr std::int64_t kWidth = 5;

MoeOptions small_options() {
  MoeOptions options;
  options.num_experts = 4;
  options.moe_intermediate_size = 3;
  options.router_init_scale = 4.0;
  return options;
}

class CombineBalanceTest : public testing::Test {
 protected:
  // Two layers over the same rows.
  std::vector<BalanceTerm> combined(Tape& tape, const MoeOptions& options) {
    Random random(1);
    first_ = std::make_unique<MoeLayer>(kWidth, options, random);
    second_ = std::make_unique<MoeLayer>(kWidth, options, random);
    outputs_.clear();
    outputs_.push_back(first_->forward(tape, rows_, {}));
    outputs_.push_back(second_->forward(tape, rows_, {}));
    return combine_balance(tape, options, outputs_, {});
  }

  Tensor rows_ = test::random_tensor({12, kWidth}, 3);
  std::unique_ptr<MoeLayer> first_;
  std::unique_ptr<MoeLayer> second_;
  std::vector<MoeOutput> outputs_;
};

TEST_F(CombineBalanceTest, MeanAndSumOverLayers) {
  MoeOptions options = small_options();
  for (const std::string layers : {"mean", "sum"}) {
    options.balance_layers = layers;
    Tape off;
    const std::vector<BalanceTerm> terms = combined(off, options);
    ASSERT_EQ(terms.size(), 2U);
    for (std::size_t i = 0; i < 2; ++i) {
      const float factor = layers == "mean" ? 0.5F : 1.0F;
      const BalanceTerm& a = outputs_[0].balance[i];
      const BalanceTerm& b = outputs_[1].balance[i];
      EXPECT_EQ(terms[i].name, a.name);
      EXPECT_NEAR(terms[i].unscaled, factor * (a.unscaled + b.unscaled), 1e-5F);
      EXPECT_NEAR(terms[i].value.item(), factor * (a.value.item() + b.value.item()), 1e-6F);
    }
  }
}

TEST_F(CombineBalanceTest, HuggingFaceFormReplacesTheLayersLosses) {
  MoeOptions options = small_options();
  options.balance_hf_compatible = true;
  Tape off;
  const std::vector<BalanceTerm> terms = combined(off, options);
  ASSERT_EQ(terms.size(), 2U);
  EXPECT_EQ(terms[0].name, "load_balance");
  EXPECT_EQ(terms[1].name, "router_z");
  ASSERT_EQ(outputs_[0].balance.size(), 1U);
  // E sum_e (rows of both layers that chose e, per row) (mean probability of e over both).
  double expected = 0.0;
  for (std::size_t e = 0; e < 4; ++e) {
    double probability = 0.0;
    for (const MoeOutput& layer : outputs_) {
      for (std::int64_t row = 0; row < 12; ++row) {
        probability += static_cast<double>(layer.routing.probabilities.matrix()(row, static_cast<std::int64_t>(e)));
      }
    }
    const auto count =
        static_cast<double>(outputs_[0].metrics.requested_rows[e] + outputs_[1].metrics.requested_rows[e]);
    expected += 4.0 * count / 24.0 * probability / 24.0;
  }
  EXPECT_NEAR(static_cast<double>(terms[0].unscaled), expected, 1e-5);
  EXPECT_NEAR(terms[0].value.item(), 0.01F * terms[0].unscaled, 1e-7F);
}

TEST_F(CombineBalanceTest, GradientReachesEveryLayer) {
  for (const bool hf_compatible : {false, true}) {
    MoeOptions options = small_options();
    options.balance_hf_compatible = hf_compatible;
    Tape tape(Tape::Mode::kRecording);
    const std::vector<BalanceTerm> terms = combined(tape, options);
    tape.backward(terms[0].value);
    for (const MoeLayer* const layer : {first_.get(), second_.get()}) {
      const Parameter gate = layer->parameters()[0];
      ASSERT_TRUE(gate.value.grad().present()) << gate.name;
      EXPECT_GT(test::max_abs(gate.value.grad().values()), 0.0F);
    }
  }
}

TEST_F(CombineBalanceTest, NoLayersNoTerms) {
  Tape off;
  EXPECT_TRUE(combine_balance(off, small_options(), {}, {}).empty());
}

}  // namespace combine_balance_test
}  // namespace witan
