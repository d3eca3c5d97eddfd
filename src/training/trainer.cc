// One optimizer step, and the state it leaves.
#include "training/trainer.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include "autograd/ops/elementwise.h"
#include "base/error.h"
#include "base/parallel.h"
#include "base/pool_spares.h"
#include "kernels/isa.h"
#include "models/checkpoint_folder.h"
#include "routers/not_finite.h"
#include "text/tokenizer.h"
#include "training/divergence.h"
#include "training/memory.h"

namespace witan {
namespace {

constexpr std::size_t kSparesPerThread = 2;             // blocks of one size that a thread wants at the same moment
constexpr std::uint64_t kRoutingStream = 0x726F757465;  // of the random numbers that routing noise is drawn from

TrainSettings checked(TrainSettings settings, const Tokenizer& tokenizer) {
  settings.validate();
  if (!settings.from.empty()) {
    WITAN_ASSERT(settings.model.vocab_size >= tokenizer.vocab_size());
    return settings;  // ends of a text are those of the model
  }
  WITAN_ASSERT(settings.model.vocab_size == tokenizer.vocab_size());
  settings.model.bos_token_id = tokenizer.bos_id();
  settings.model.eos_token_ids.clear();
  if (tokenizer.eos_id() >= 0) settings.model.eos_token_ids.push_back(tokenizer.eos_id());
  return settings;
}

// Sums rows, and averages the rest over `count` micro-batches.
void add_metrics(MoeMetrics& sum, const MoeMetrics& metrics, double count) {
  sum.rows_per_expert.resize(metrics.rows_per_expert.size());
  sum.requested_rows.resize(metrics.requested_rows.size());
  std::ranges::transform(sum.rows_per_expert, metrics.rows_per_expert, sum.rows_per_expert.begin(), std::plus<>());
  std::ranges::transform(sum.requested_rows, metrics.requested_rows, sum.requested_rows.begin(), std::plus<>());
  sum.dropped_share += metrics.dropped_share / count;
  sum.router_entropy += metrics.router_entropy / count;
  sum.mean_z += metrics.mean_z / count;
}

// What follows from the summed rows.
void finish_metrics(MoeMetrics& metrics) {
  std::int64_t total = 0;
  std::int64_t largest = 0;
  for (const std::int64_t rows : metrics.rows_per_expert) {
    total += rows;
    largest = std::max(largest, rows);
  }
  const auto experts = static_cast<double>(metrics.rows_per_expert.size());
  metrics.max_over_mean_load = total > 0 ? static_cast<double>(largest) * experts / static_cast<double>(total) : 0.0;
  metrics.max_violation = max_violation(metrics.requested_rows);
  metrics.dead_experts = std::ranges::count(metrics.requested_rows, 0);
}

}  // namespace

Trainer::Trainer(const TrainSettings& settings, std::shared_ptr<const Tokenizer> tokenizer, TokenizedCorpus corpus,
                 std::string content_key)
    : settings_(checked(settings, *tokenizer)),
      tokenizer_(std::move(tokenizer)),
      corpus_(std::move(corpus)),
      content_key_(std::move(content_key)),
      model_(std::make_unique<Decoder>(settings_.model, static_cast<std::uint64_t>(settings_.seed))),
      optimizer_(model_->parameters(), settings_.optimizer),
      sampler_(*corpus_.train, settings_.data.batch_size, settings_.data.sequence_length,
               static_cast<std::uint64_t>(settings_.seed)),
      routing_noise_(static_cast<std::uint64_t>(settings_.seed), kRoutingStream),
      token_bytes_(bytes_per_token(*tokenizer_)),
      bytes_per_train_token_(static_cast<double>(corpus_.train->bytes()) /
                             static_cast<double>(corpus_.train->tokens().size())) {
  if (corpus_.heldout->tokens().size() < 2) {
    fail("data.heldout_share: heldout_share={} leaves {} tokens of held-out text, expected at least 2",
         settings_.data.heldout_share, corpus_.heldout->tokens().size());
  }
  std::vector<std::int64_t> token_counts(static_cast<std::size_t>(settings_.model.vocab_size));
  for (const std::int32_t token : corpus_.train->tokens()) ++token_counts[static_cast<std::size_t>(token)];
  model_->prepare_routers(token_counts);
}

void Trainer::run_micro_batch(std::int64_t micro_batch, StepReport& report) {
  const TrainDataOptions& data = settings_.data;
  const auto share = 1.0F / static_cast<float>(data.gradient_accumulation_steps);
  sampler_.fill(next_batch_, batch_);
  const std::uint64_t noise_position = routing_noise_.position();
  RouterContext context;
  context.training = true;
  context.rows_per_sequence = data.sequence_length;
  context.token_ids = batch_.inputs;
  context.micro_batch = micro_batch;
  context.random = &routing_noise_;
  const auto feedback = std::make_shared<RowFeedback>();
  context.feedback = feedback;
  const auto locate = [&] {
    routing_noise_.seek(noise_position);
    return locate_divergence(*model_, batch_.inputs, data.batch_size, data.sequence_length, context);
  };

  Tape tape(Tape::Mode::kRecording);
  DecoderOutput output;
  try {
    output = model_->forward(tape, batch_.inputs, data.batch_size, data.sequence_length, context);
  } catch (const ScoresNotFinite& error) {
    tape.clear();
    diverged(fmt::format("{} ({})", locate(), error.what()));
  }
  feedback->losses.resize(batch_.targets.size());
  feedback->share = share / static_cast<float>(batch_.targets.size());
  const Tensor loss = model_->loss(tape, output.hidden, batch_.targets, feedback->losses);
  PooledVector<Tensor> terms{loss};
  for (const BalanceTerm& term : output.balance) terms.push_back(term.value);
  const PooledVector<float> weights(terms.size(), share);
  const Tensor objective = ops::weighted_sum(tape, terms, weights);
  if (!std::isfinite(loss.item()) || !std::isfinite(objective.item())) {
    tape.clear();
    diverged(fmt::format("the loss is {}; wrong first: {}", loss.item(), locate()));
  }
  tape.backward(objective);

  ++next_batch_;
  report.loss += static_cast<double>(loss.item() * share);
  report.balance.resize(output.balance.size());
  for (std::size_t i = 0; i < output.balance.size(); ++i) {
    report.balance[i].first = output.balance[i].name;
    report.balance[i].second += static_cast<double>(output.balance[i].unscaled * share);
  }
  report.moe_layers = output.moe_layers;
  report.metrics.resize(output.metrics.size());
  for (std::size_t i = 0; i < output.metrics.size(); ++i) {
    add_metrics(report.metrics[i], output.metrics[i], static_cast<double>(data.gradient_accumulation_steps));
  }
}

StepReport Trainer::step() {
  const Clock::time_point begin = Clock::now();
  const bool first = !start_;
  if (first) start_ = begin;
  StepReport report;
  report.step = before_.steps + 1;
  report.learning_rate = learning_rate_at(
      settings_.schedule, progress_of_next_step(settings_.budget, consumed(), settings_.tokens_per_step()));
  for (std::int64_t i = 0; i < settings_.data.gradient_accumulation_steps; ++i) run_micro_batch(i, report);
  report.gradient_norm = optimizer_.gradient_norm();
  if (!std::isfinite(report.gradient_norm)) {
    RouterContext context;
    context.rows_per_sequence = settings_.data.sequence_length;
    context.token_ids = batch_.inputs;
    diverged(fmt::format(
        "the gradient's norm is {}; wrong first: {}", std::fabs(report.gradient_norm),
        locate_divergence(*model_, batch_.inputs, settings_.data.batch_size, settings_.data.sequence_length, context)));
  }
  optimizer_.step(report.learning_rate, report.gradient_norm);

  std::vector<std::vector<std::int64_t>> requested;
  for (MoeMetrics& layer : report.metrics) {
    finish_metrics(layer);
    requested.push_back(layer.requested_rows);
  }
  model_->after_step(requested);
  before_.steps += 1;
  before_.tokens += settings_.tokens_per_step();
  report.tokens = before_.tokens;
  report.seconds = consumed().seconds;
  report.bits_per_byte = report.loss / (std::numbers::ln2 * bytes_per_train_token_);
  const std::chrono::duration<double> taken = Clock::now() - begin;
  report.tokens_per_second = static_cast<double>(settings_.tokens_per_step()) / taken.count();
  report.peak_memory_bytes = peak_resident_bytes();
  if (first) pool_add_spares(kSparesPerThread * static_cast<std::size_t>(num_threads()));
  return report;
}

void Trainer::diverged(const std::string& what) {
  optimizer_.forget_gradients();
  throw Diverged(fmt::format("training stopped in step {}: {}", before_.steps + 1, what));
}

Evaluation Trainer::evaluate(std::int64_t max_tokens, const WindowObserver& observer,
                             const std::function<void(std::int64_t)>& on_batch) {
  const EvaluationOptions options{settings_.data.batch_size, settings_.data.sequence_length, max_tokens, on_batch};
  return witan::evaluate(*model_, *corpus_.heldout, token_bytes_, static_cast<std::int64_t>(corpus_.domains.size()),
                         options, observer);
}

Consumed Trainer::consumed() const {
  Consumed now = before_;
  if (start_) now.seconds += std::chrono::duration<double>(Clock::now() - *start_).count();
  return now;
}

std::vector<Parameter> Trainer::saved_tensors() const {
  std::vector<Parameter> tensors;
  for (Parameter parameter : model_->parameters()) {
    parameter.name = "model." + parameter.name;
    tensors.push_back(std::move(parameter));
  }
  for (Parameter buffer : model_->buffers()) {
    buffer.name = "buffer." + buffer.name;
    tensors.push_back(std::move(buffer));
  }
  for (Parameter& moment : optimizer_.state()) tensors.push_back(std::move(moment));
  return tensors;
}

void Trainer::start_from(const std::filesystem::path& model) {
  WITAN_ASSERT(before_.steps == 0);
  load_weights(model, *model_);
}

void Trainer::save(const std::filesystem::path& checkpoint) const {
  TrainingState state;
  state.settings = settings_;
  state.content_key = content_key_;
  state.consumed = consumed();
  state.updates = optimizer_.updates();
  state.next_batch = next_batch_;
  state.routing_position = routing_noise_.position();
  state.threads = num_threads();
  state.instruction_set = kernels::isa_name(kernels::active_isa());
  save_checkpoint(checkpoint, state, saved_tensors(), *tokenizer_);
}

void Trainer::restore(const std::filesystem::path& checkpoint) {
  const TrainingState state = load_training_state(checkpoint);
  require_same_settings(settings_, state.settings, checkpoint);
  if (state.content_key != content_key_) {
    fail("{}: the text has changed since this run was started", checkpoint.string());
  }
  load_tensors(checkpoint, saved_tensors());
  before_ = state.consumed;
  start_.reset();
  optimizer_.set_updates(state.updates);
  next_batch_ = state.next_batch;
  routing_noise_.seek(state.routing_position);
}

}  // namespace witan
