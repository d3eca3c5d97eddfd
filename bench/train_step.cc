// Our side of bench/peers/train_step.py: whole training steps (forward, backward, clipping, AdamW) of a mixture decoder
// on one batch of random tokens. With --profile N: N steps and nothing else, for a profiler.
#include <cstdlib>
#include <memory>
#include <string_view>
#include <vector>

#include "autograd/ops/elementwise.h"
#include "base/pool.h"
#include "base/random.h"
#include "models/decoder.h"
#include "training/optimizer.h"
#include "worker.h"

namespace witan::bench {
namespace {

constexpr std::int64_t kBatch = 8;
constexpr std::int64_t kSequence = 256;
constexpr double kLearningRate = 1e-3;

DecoderConfig config() {
  DecoderConfig config;
  config.vocab_size = 4096;
  config.hidden_size = 256;
  config.num_hidden_layers = 6;
  config.num_attention_heads = 8;
  config.num_key_value_heads = 8;
  config.max_position_embeddings = kSequence;
  config.moe.num_experts = 16;
  config.moe.num_experts_per_tok = 2;
  config.moe.moe_intermediate_size = 512;
  return config;
}

class Steps {
 public:
  Steps() : model_(config(), 1), optimizer_(model_.parameters(), {}) {
    Random random(1);
    const auto vocabulary = static_cast<std::uint64_t>(model_.config().vocab_size);
    for (std::int64_t sequence = 0; sequence < kBatch; ++sequence) {
      auto token = static_cast<std::int32_t>(random.below(vocabulary));
      for (std::int64_t i = 0; i < kSequence; ++i) {
        ids_.push_back(token);
        token = static_cast<std::int32_t>(random.below(vocabulary));
        targets_.push_back(token);
      }
    }
  }

  // The loss before the update.
  float run() {
    Tape tape(Tape::Mode::kRecording);
    RouterContext context;
    context.training = true;
    context.rows_per_sequence = kSequence;
    context.token_ids = ids_;
    context.random = &random_;
    const DecoderOutput output = model_.forward(tape, ids_, kBatch, kSequence, context);
    const Tensor loss = model_.loss(tape, output.hidden, targets_);
    std::vector<Tensor> terms{loss};
    for (const BalanceTerm& term : output.balance) terms.push_back(term.value);
    tape.backward(ops::weighted_sum(tape, terms, std::vector<float>(terms.size(), 1.0F)));
    optimizer_.step(kLearningRate, optimizer_.gradient_norm());
    return loss.item();
  }

 private:
  Decoder model_;
  AdamW optimizer_;
  Random random_{2};
  std::vector<std::int32_t> ids_;
  std::vector<std::int32_t> targets_;
};

}  // namespace
}  // namespace witan::bench

int main(int argc, char** argv) {
  using namespace witan;
  if (argc == 3 && std::string_view(argv[1]) == "--profile") {
    bench::Steps steps;
    float loss = 0.0F;
    for (int i = std::atoi(argv[2]); i > 0; --i) loss = steps.run();
    const PoolStatistics pool = pool_statistics();
    fmt::print("loss {}, pool peak {} MiB, reserved {} MiB in {} system allocations, process peak {} MiB\n", loss,
               pool.peak_bytes_in_use >> 20, pool.bytes_reserved >> 20, pool.system_allocations,
               bench::peak_memory_bytes() >> 20);
    return 0;
  }
  const int steps_of_a_round = argc == 2 ? std::atoi(argv[1]) : 0;
  if (steps_of_a_round < 1) {
    fmt::print(stderr, "usage: {} STEPS_OF_A_ROUND | --profile STEPS\n", argv[0]);
    return 2;
  }
  bench::Steps steps;
  const auto round = [&] {
    float loss = 0.0F;
    for (int i = 0; i < steps_of_a_round; ++i) loss = steps.run();
    return fmt::format("\"loss\": {}", loss);
  };
  round();
  bench::serve(round);
  return 0;
}
