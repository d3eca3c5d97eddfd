// Gradients of single-neuron experts, and that their tables are touched only where a batch read them.
#include "autograd/ops/neuron_mixture.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "support/gradient_check.h"

namespace witan {
namespace autograd_ops_neuron_mixture_test {

std::shared_ptr<const PooledVector<std::int32_t>> named(std::initializer_list<std::int32_t> experts) {
  return std::make_shared<PooledVector<std::int32_t>>(experts);
}

TEST(NeuronMixtureTest, GradientsMatchCentralDifferences) {
  const std::vector<Tensor> inputs = {test::random_tensor({3, 4}, 1), test::random_tensor({9, 1, 4}, 2),
                                      test::random_tensor({9, 4, 1}, 3), test::random_tensor({3, 2}, 4)};
  const auto experts = named({5, 2, 8, -1, 5, 5});
  for (const Activation activation : {Activation::kGelu, Activation::kSilu}) {
    EXPECT_TRUE(test::gradients_match(
        [&](Tape& tape, std::span<const Tensor> x) {
          return ops::neuron_mixture(tape, x[0], x[1], x[2], experts, x[3], activation);
        },
        inputs));
  }
}

TEST(NeuronMixtureTest, TablesGetGradientsInRows) {
  const Tensor up = test::random_tensor({1000, 1, 4}, 2);
  const Tensor down = test::random_tensor({1000, 4, 1}, 3);
  Tape tape(Tape::Mode::kRecording);
  const Tensor y = ops::neuron_mixture(tape, test::random_tensor({2, 4}, 1), up, down, named({700, 3, 700, -1}),
                                       test::random_tensor({2, 2}, 4), Activation::kGelu);
  tape.backward(y, test::random_tensor(y.shape(), 5));
  for (const Tensor* const table : {&up, &down}) {
    ASSERT_TRUE(table->grad().in_rows());
    ASSERT_EQ(table->grad().stored_rows().size(), 2U);
    EXPECT_EQ(table->grad().stored_rows()[0], 3);
    EXPECT_EQ(table->grad().stored_rows()[1], 700);
  }
}

TEST(NeuronMixtureTest, WhatDoesNotFitIsRefused) {
  Tape off;
  const Tensor x = Tensor::zeros({1, 4});
  const auto mix = [&](const Tensor& up, const Tensor& down, std::initializer_list<std::int32_t> experts) {
    ops::neuron_mixture(off, x, up, down, named(experts), Tensor::zeros({1, 2}), Activation::kGelu);
  };
  EXPECT_NO_THROW(mix(Tensor::zeros({9, 1, 4}), Tensor::zeros({9, 4, 1}), {8, -1}));
  EXPECT_THROW(mix(Tensor::zeros({9, 1, 4}), Tensor::zeros({9, 4, 1}), {9, 0}), Error);
  EXPECT_THROW(mix(Tensor::zeros({9, 1, 4}), Tensor::zeros({9, 4, 1}), {-2, 0}), Error);
  EXPECT_THROW(mix(Tensor::zeros({9, 1, 4}), Tensor::zeros({9, 4, 1}), {0, 0, 0}), Error);
  EXPECT_THROW(mix(Tensor::zeros({9, 2, 4}), Tensor::zeros({9, 4, 2}), {0, 0}), Error);
}

}  // namespace autograd_ops_neuron_mixture_test
}  // namespace witan
