// The mixture of softmaxes: its two faces, loss and log-probabilities, say the same.
#include "layers/output_mixture.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/error.h"
#include "base/random.h"
#include "support/compare.h"
#include "support/gradient_check.h"

namespace witan {
namespace output_mixture_test {

OutputMixture random_mixture(std::int64_t width, std::int64_t count) {
  OutputMixture mixture(width, count);
  std::uint64_t seed = 5;
  for (const Parameter& parameter : mixture.parameters()) {
    Random(seed++).fill_normal(parameter.value.values(), 0.0F, 0.7F);
  }
  return mixture;
}

TEST(OutputMixtureTest, LogProbabilitiesSumToOneAndGiveTheLoss) {
  const OutputMixture mixture = random_mixture(6, 3);
  const Tensor hidden = test::random_tensor({4, 6}, 1);
  const Tensor head = test::random_tensor({9, 6}, 2, 2.0F);
  const Tensor logs = mixture.log_probabilities(hidden, head);
  const std::vector<std::int32_t> targets = {0, 8, 3, 3};
  std::vector<float> losses(4);
  Tape off;
  mixture.loss(off, hidden, head, targets, losses);
  for (std::int64_t row = 0; row < 4; ++row) {
    double sum = 0.0;
    for (std::int64_t v = 0; v < 9; ++v) sum += std::exp(static_cast<double>(logs.matrix()(row, v)));
    EXPECT_NEAR(sum, 1.0, 1e-5);
    EXPECT_NEAR(losses[static_cast<std::size_t>(row)], -logs.matrix()(row, targets[static_cast<std::size_t>(row)]),
                1e-5F);
  }
}

// What one softmax cannot: with hidden size 1 its log-odds of three tokens lie on a line, so the middle one of three
// equally spaced tokens is never the least probable.
TEST(OutputMixtureTest, SaysWhatOneSoftmaxCannot) {
  OutputMixture mixture(1, 2);
  const std::vector<Parameter> parameters = mixture.parameters();
  parameters[1].value.values()[0] = 5.0F;
  parameters[1].value.values()[1] = -5.0F;
  const Tensor head = Tensor::from({3, 1}, std::vector<float>{-4.0F, 0.0F, 4.0F});
  const Tensor logs = mixture.log_probabilities(Tensor::full({1, 1}, 1.0F), head);
  EXPECT_LT(logs.values()[1], logs.values()[0] - 1.0F);
  EXPECT_LT(logs.values()[1], logs.values()[2] - 1.0F);
}

TEST(OutputMixtureTest, GradientsMatchCentralDifferences) {
  const OutputMixture mixture = random_mixture(4, 3);
  const std::vector<std::int32_t> targets = {1, 0, 5};
  std::vector<Tensor> inputs = {test::random_tensor({3, 4}, 1), test::random_tensor({6, 4}, 2)};
  for (const Parameter& parameter : mixture.parameters()) inputs.push_back(parameter.value);
  EXPECT_TRUE(test::gradients_match(
      [&](Tape& tape, std::span<const Tensor> x) { return mixture.loss(tape, x[0], x[1], targets, {}); }, inputs));
}

TEST(OutputMixtureTest, NoSoftmaxesAreRefused) { EXPECT_THROW(OutputMixture(4, 0), Error); }

}  // namespace output_mixture_test
}  // namespace witan
