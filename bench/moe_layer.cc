// Our side of bench/peers/moe_layer.py: rounds of
//   layer T D F E k n       n times forward and backward of a mixture layer: router, SwiGLU experts, combine;
//   grouped T D F E k n     n times the grouped product [rows of k experts, D] x [E, F, D] alone;
//   register n              n loops of multiply-adds on registers.
// The last two answer with the median of their n rates.
#include "layers/moe_layer.h"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <functional>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "kernels/grouped_gemm.h"
#include "support/register_rate.h"
#include "worker.h"

namespace witan::bench {
namespace {

struct Sizes {
  std::int64_t rows;     // T
  std::int64_t hidden;   // D
  std::int64_t width;    // F
  std::int64_t experts;  // E
  std::int64_t top_k;
  std::int64_t repetitions;
};

Tensor random_tensor(Shape shape, Random& random) {
  Tensor tensor = Tensor::uninitialized(shape);
  random.fill_normal(tensor.values(), 0.0F, 1.0F);
  return tensor;
}

class LayerWork {
 public:
  explicit LayerWork(const Sizes& sizes) : random_(1), layer_(sizes.hidden, options(sizes), random_) {
    rows_ = random_tensor({sizes.rows, sizes.hidden}, random_);
    rows_.set_requires_grad(true);
    upstream_ = random_tensor({sizes.rows, sizes.hidden}, random_);
  }

  void run() {
    RouterContext context;
    context.training = true;
    context.random = &random_;
    Tape tape(Tape::Mode::kRecording);
    const MoeOutput output = layer_.forward(tape, rows_, context);
    tape.backward(output.rows, upstream_);
    rows_.grad().clear();
    for (const Parameter& parameter : layer_.parameters()) parameter.value.grad().clear();
  }

  // For other works: who goes where.
  Routing routing() {
    Tape tape;
    return layer_.forward(tape, rows_, {}).routing;
  }

 private:
  static MoeOptions options(const Sizes& sizes) {
    MoeOptions result;
    result.num_experts = sizes.experts;
    result.num_experts_per_tok = sizes.top_k;
    result.moe_intermediate_size = sizes.width;
    return result;
  }
  Random random_;
  MoeLayer layer_;
  Tensor rows_;
  Tensor upstream_;
};

void serve_layer(const Sizes& sizes) {
  LayerWork work(sizes);
  const auto round = [&] {
    for (std::int64_t i = 0; i < sizes.repetitions; ++i) work.run();
    return std::string();
  };
  round();
  serve(round);
}

// Answers with the median of `repetitions` rates, in FLOP per second: what others take of the machine for some
// milliseconds touches neither side of the comparison.
void serve_rates(std::int64_t repetitions, const std::function<double()>& rate) {
  const auto round = [&] {
    std::vector<double> rates;
    for (std::int64_t i = 0; i < repetitions; ++i) rates.push_back(rate());
    const auto middle = rates.begin() + repetitions / 2;
    std::nth_element(rates.begin(), middle, rates.end());
    return fmt::format("\"rate\": {}", *middle);
  };
  round();
  serve(round);
}

void serve_grouped(const Sizes& sizes) {
  const Routing routing = LayerWork(sizes).routing();
  const Assignment& assignment = *routing.assignment;
  Random random(2);
  const Tensor rows = random_tensor({sizes.rows, sizes.hidden}, random);
  const Tensor weight = random_tensor({sizes.experts, sizes.width, sizes.hidden}, random);
  const Tensor result = Tensor::uninitialized({assignment.num_assigned(), sizes.width});
  const double flops =
      2.0 * static_cast<double>(assignment.num_assigned() * weight.numel()) / static_cast<double>(sizes.experts);
  serve_rates(sizes.repetitions, [&] {
    const auto start = std::chrono::steady_clock::now();
    kernels::grouped_gemm({assignment.expert_offsets, assignment.row_indices}, rows.matrix(),
                          {weight.data(), sizes.width, sizes.hidden}, result.matrix());
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
    return flops / seconds.count();
  });
}

int run(std::span<char*> arguments) {
  const std::string_view what = arguments.size() > 1 ? arguments[1] : "";
  const auto number = [&](std::size_t i) { return std::max(1LL, std::strtoll(arguments[i], nullptr, 10)); };
  if (what == "register" && arguments.size() == 3) {
    serve_rates(number(2), register_rate);
  } else if ((what == "layer" || what == "grouped") && arguments.size() == 8) {
    const Sizes sizes{number(2), number(3), number(4), number(5), number(6), number(7)};
    what == "layer" ? serve_layer(sizes) : serve_grouped(sizes);
  } else {
    fmt::print(stderr, "usage: bench_moe_layer layer|grouped T D F E k repetitions, or register repetitions\n");
    return 2;
  }
  return 0;
}

}  // namespace
}  // namespace witan::bench

int main(int argc, char** argv) { return witan::bench::run({argv, static_cast<std::size_t>(argc)}); }
