// How far running a model is from what the machine allows. Decoding: bytes of weights that a token reads, times tokens
// per second, over the rate at which this machine reads memory. Prefill: its time over that of the experts' products
// alone on the same rows. Both with weights held as f32, bf16 and f16, in a model of Mixtral's proportions that is far
// larger than the caches.
// Run: build/release/bench/bench_decode [rounds, 5]. Outcomes: bench/RESULTS.md.
#include <fmt/core.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <functional>
#include <memory>
#include <numeric>
#include <vector>

#include "autograd/ops/expert_feed_forward.h"
#include "base/random.h"
#include "inference/plan.h"
#include "layers/kv_cache.h"
#include "models/decoder.h"

namespace {

using namespace witan;

constexpr std::int64_t kPrompt = 512;
constexpr std::int64_t kNewTokens = 32;

DecoderConfig mixtral_in_small() {
  DecoderConfig config;
  config.vocab_size = 8192;
  config.hidden_size = 1024;
  config.num_hidden_layers = 4;
  config.num_attention_heads = 16;
  config.num_key_value_heads = 4;
  config.max_position_embeddings = 1024;
  config.tie_word_embeddings = false;
  config.moe.num_experts = 8;
  config.moe.num_experts_per_tok = 2;
  config.moe.moe_intermediate_size = 3584;
  return config;
}

void store(float value, float& to) { to = value; }
void store(float value, BFloat16& to) { to = to_bfloat16(value); }
void store(float value, Float16& to) { to = to_float16(value); }

// Normal weights, the same block of them again and again: drawing so many would take longer than the measurement.
std::unique_ptr<Decoder> make_model(const DecoderConfig& config, Precision precision) {
  std::unique_ptr<Decoder> model = Decoder::with_zeros(config, precision);
  std::vector<float> block(1 << 16);
  Random(1).fill_normal(block, 0.0F, 0.02F);
  for (const Parameter& parameter : model->parameters()) {
    if (parameter.value.shape().rank() < 2) continue;  // norms stay 1
    parameter.value.visit_matrix([&](const auto& matrix) {
      for (std::int64_t i = 0; i < matrix.rows * matrix.cols; ++i) {
        store(block[static_cast<std::size_t>(i) % block.size()], matrix.data[i]);
      }
    });
  }
  return model;
}

double seconds_of(const std::function<void()>& work) {
  const auto begin = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

// Smallest, median and largest.
std::string spread(std::vector<double> values, const char* unit) {
  std::sort(values.begin(), values.end());
  return fmt::format("{:.2f} {} ({:.2f} to {:.2f})", values[values.size() / 2], unit, values.front(), values.back());
}

// The products of the experts of all layers, on rows shared out evenly.
class ExpertsAlone {
 public:
  ExpertsAlone(const Decoder& model, std::int64_t rows) : config_(model.config()) {
    for (const Parameter& parameter : model.parameters()) {
      const auto ends = [&](std::string_view end) { return parameter.name.ends_with(end); };
      if (ends("experts.gate_proj")) weights_.emplace_back().gate = parameter.value;
      if (ends("experts.up_proj")) weights_.back().up = parameter.value;
      if (ends("experts.down_proj")) weights_.back().down = parameter.value;
    }
    const MoeOptions& moe = config_.moe;
    rows_ = Tensor::full({rows, config_.hidden_size}, 0.5F);
    assignment_.num_rows = rows;
    assignment_.num_experts = moe.num_experts;
    for (std::int64_t e = 0; e <= moe.num_experts; ++e) {
      assignment_.expert_offsets.push_back(rows * moe.num_experts_per_tok * e / moe.num_experts);
    }
    for (std::int64_t a = 0; a < rows * moe.num_experts_per_tok; ++a) {
      assignment_.row_indices.push_back(static_cast<std::int32_t>(a % rows));
    }
  }

  void run() const {
    Tape off;
    for (const ops::ExpertWeights& weights : weights_) {
      ops::expert_feed_forward(off, rows_, assignment_, weights, Activation::kSilu);
    }
  }

 private:
  DecoderConfig config_;
  std::vector<ops::ExpertWeights> weights_;
  Tensor rows_;
  Assignment assignment_;
};

void measure(Precision precision, int rounds) {
  const DecoderConfig config = mixtral_in_small();
  const std::unique_ptr<Decoder> model = make_model(config, precision);
  const RunPlan plan = plan_run(config, kPrompt + kNewTokens, precision);
  const ExpertsAlone experts(*model, kPrompt);
  std::vector<std::int32_t> prompt(kPrompt);
  std::iota(prompt.begin(), prompt.end(), 0);

  std::vector<double> bandwidths, speeds, shares, prefills, ratios;
  for (int round = 0; round <= rounds; ++round) {
    KvCache cache = model->make_cache();
    Tape off;
    const double prefill = seconds_of([&] { model->forward(off, prompt, 1, kPrompt, {}, &cache); });
    const double products = seconds_of([&] { experts.run(); });
    const double bandwidth = read_bandwidth();
    const double decode = seconds_of([&] {
      for (std::int32_t id = 0; id < kNewTokens; ++id) {
        model->logits(model->forward(off, {&id, 1}, 1, 1, {}, &cache).hidden);
      }
    });
    if (round == 0) continue;  // fetches code and memory
    const double speed = static_cast<double>(kNewTokens) / decode;
    bandwidths.push_back(bandwidth / 1e9);
    speeds.push_back(speed);
    shares.push_back(100.0 * speed * static_cast<double>(plan.bytes_per_token) / bandwidth);
    prefills.push_back(static_cast<double>(kPrompt) / prefill);
    ratios.push_back(prefill / products);
  }
  fmt::print("weights as {}, {:.2f} GB, {:.0f} MB per token\n", precision_name(precision),
             static_cast<double>(plan.weight_bytes) / 1e9, static_cast<double>(plan.bytes_per_token) / 1e6);
  fmt::print("  reading memory      {}\n", spread(bandwidths, "GB/s"));
  fmt::print("  decoding            {}\n", spread(speeds, "tokens/s"));
  fmt::print("  of that rate        {}\n", spread(shares, "%"));
  fmt::print("  prefill of {}      {}\n", kPrompt, spread(prefills, "tokens/s"));
  fmt::print("  over experts alone  {}\n", spread(ratios, "x"));
}

}  // namespace

int main(int count, char** arguments) {
  const int rounds = count > 1 ? std::max(1, std::atoi(arguments[1])) : 5;
  for (const Precision precision : {Precision::kF32, Precision::kBF16, Precision::kF16}) measure(precision, rounds);
}
