// 2. Train a mixture layer by hand: tape, loss, gradient step. Two regimes in the data, two experts that divide them.
// Build: the checks do; run: build/release/examples/02_learn_two_functions
#include <fmt/core.h>

#include <vector>

#include "autograd/ops/elementwise.h"
#include "layers/moe_layer.h"

namespace {

constexpr std::int64_t kRows = 256;
constexpr std::int64_t kWidth = 4;
constexpr int kSteps = 300;
constexpr float kLearningRate = 0.1F;

// y = 2 x where the first input is positive, y = -x elsewhere.
void make_data(witan::Random& random, const witan::Tensor& x, const witan::Tensor& minus_y) {
  random.fill_normal(x.values(), 0.0F, 1.0F);
  for (std::int64_t row = 0; row < kRows; ++row) {
    const float slope = x.matrix()(row, 0) > 0.0F ? 2.0F : -1.0F;
    for (std::int64_t i = 0; i < kWidth; ++i) minus_y.matrix()(row, i) = -slope * x.matrix()(row, i);
  }
}

}  // namespace

int main() {
  witan::MoeOptions options;
  options.num_experts = 2;
  options.num_experts_per_tok = 1;
  options.router = "switch";        // one expert per row, weighted by its probability
  options.initializer_range = 0.4;  // rows are only 4 wide
  options.moe_intermediate_size = 32;

  witan::Random random(/*seed=*/1);
  witan::MoeLayer layer(kWidth, options, random);
  const witan::Tensor x = witan::Tensor::uninitialized({kRows, kWidth});
  const witan::Tensor minus_y = witan::Tensor::uninitialized({kRows, kWidth});
  make_data(random, x, minus_y);

  const std::vector<witan::Parameter> parameters = layer.parameters();
  witan::RouterContext context;
  context.training = true;
  context.random = &random;
  float first = 0.0F;
  float last = 0.0F;
  for (int step = 0; step < kSteps; ++step) {
    witan::Tape tape(witan::Tape::Mode::kRecording);
    const witan::MoeOutput output = layer.forward(tape, x, context);
    const witan::Tensor error = witan::ops::add(tape, output.rows, minus_y);
    std::vector<witan::Tensor> terms = {witan::ops::mean(tape, witan::ops::multiply(tape, error, error))};
    std::vector<float> weights = {1.0F};
    for (const witan::BalanceTerm& term : output.balance) {
      terms.push_back(term.value);
      weights.push_back(1.0F);
    }
    tape.backward(witan::ops::weighted_sum(tape, terms, weights));

    for (const witan::Parameter& parameter : parameters) {
      if (!parameter.value.grad().present()) continue;
      const auto gradient = parameter.value.grad().values();
      for (std::size_t i = 0; i < gradient.size(); ++i) parameter.value.data()[i] -= kLearningRate * gradient[i];
      parameter.value.grad().clear();
    }
    last = terms.front().item();
    if (step == 0) first = last;
  }
  fmt::print("mean squared error {:.3f} -> {:.3f} in {} steps\n", first, last, kSteps);
  return last < 0.5F * first ? 0 : 1;
}
