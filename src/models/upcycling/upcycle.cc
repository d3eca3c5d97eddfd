// Plans, and experts cut out of a dense network.
#include "models/upcycling/upcycle.h"

#include <fmt/core.h>

#include <cmath>

#include "base/error.h"
#include "base/pool.h"
#include "models/arch/architecture.h"
#include "models/initialize.h"
#include "models/outline.h"
#include "models/upcycling/units.h"
#include "routers/weighting.h"

namespace witan {
namespace {

constexpr const char* kGate = "gate.weight";
constexpr const char* kSharedGate = "shared_expert_gate.weight";
constexpr std::string_view kExpertsPrefix = "experts.";
constexpr std::string_view kSharedPrefix = "shared_expert.";

void check(const DecoderConfig& dense, const UpcycleOptions& options) {
  const std::int64_t shards = options.granularity - options.shared_experts;
  if (options.top_k > options.experts) {
    fail("upcycle.top_k: top_k={} exceeds experts={}", options.top_k, options.experts);
  }
  if (dense.intermediate_size % options.granularity != 0) {
    fail("upcycle.granularity: intermediate_size={} of the model cannot be cut into {} equal shards",
         dense.intermediate_size, options.granularity);
  }
  if (shards < 1) {
    fail("upcycle.shared_experts: {} shared experts of granularity={} shards leave none to be routed",
         options.shared_experts, options.granularity);
  }
  if (options.shared_experts > 0 && dense.mlp_bias) {
    fail("upcycle.shared_experts: the feed-forward network of the model has biases, and shared experts have no biases");
  }
  if (options.experts % shards != 0) {
    fail(
        "upcycle.experts: experts={} is not a multiple of the {} shards that are routed (granularity={}, "
        "shared_experts={})",
        options.experts, shards, options.granularity, options.shared_experts);
  }
  if (options.every > dense.num_hidden_layers) {
    fail("upcycle.every: every={} leaves none of the {} layers for a mixture", options.every, dense.num_hidden_layers);
  }
  if (options.top_k == 1 && options.experts > 1 && is_renormalized(parse_weighting(options.weighting))) {
    fail(
        "upcycle.weighting: with top_k=1 the weight of {}, divided by itself, is always 1, and the router would learn "
        "nothing; take softmax_then_topk",
        options.weighting);
  }
}

std::vector<std::string> deviations_of(const UpcycleOptions& options, std::int64_t shards) {
  std::vector<std::string> reasons;
  const bool renormalized = is_renormalized(parse_weighting(options.weighting));
  if (!renormalized) {
    reasons.push_back(
        fmt::format("the weights of {} are not divided by their sum: a row's output has the dense size only on average",
                    options.weighting));
  }
  if (options.top_k % shards != 0) {
    reasons.push_back(fmt::format("the {} experts of a row hold some of the {} shards more often than others",
                                  options.top_k, shards));
  }
  if (options.noise > 0.0 && options.noise_share > 0.0) {
    reasons.push_back(fmt::format("noise of {} standard deviations on {} of the experts' weights", options.noise,
                                  options.noise_share));
  }
  if (options.drop > 0.0) {
    reasons.push_back(fmt::format("{} of each expert's units are drawn anew", options.drop));
  }
  return reasons;
}

DecoderConfig sparse_config(const DecoderConfig& dense, const UpcycleOptions& options) {
  DecoderConfig config = dense;
  config.model_type.clear();
  config.first_k_dense_replace = 0;
  config.decoder_sparse_step = options.every;
  config.moe.num_experts = options.experts;
  config.moe.num_experts_per_tok = options.top_k;
  config.moe.weighting = options.weighting;
  config.moe.moe_intermediate_size = dense.intermediate_size / options.granularity;
  config.moe.expert_bias = dense.mlp_bias;
  config.moe.n_shared_experts = options.shared_experts;
  config.moe.allow_constant_weight = true;
  return config;
}

// The parameters of one plan, made from the dense ones when they are asked for.
class Upcycler {
 public:
  Upcycler(const DenseModel& dense, const UpcyclePlan& plan, const UpcycleOptions& options)
      : dense_(dense), plan_(plan), options_(options), seed_(static_cast<std::uint64_t>(options.seed)) {}

  void fill(const std::string& parameter, std::int64_t bank, std::span<float> out) const {
    const FeedForwardName name = feed_forward_name(parameter);
    if (name.layer < 0 || !plan_.config.is_moe_layer(name.layer)) {
      dense_.read(parameter, out);
    } else if (name.local == kGate) {
      fill_router(parameter, out);
    } else if (name.local == kSharedGate) {
      std::fill(out.begin(), out.end(), 0.0F);
    } else if (name.local.starts_with(kExpertsPrefix)) {
      fill_expert(name.layer, name.local.substr(kExpertsPrefix.size()), bank, out);
    } else {
      WITAN_ASSERT(name.local.starts_with(kSharedPrefix));
      const std::string projection = name.local.substr(kSharedPrefix.size());
      const std::int64_t width = plan_.config.moe.shared_width();
      copy_shards(name.layer, projection, 0, width, plan_.shared_scale, out);
    }
  }

 private:
  // Each of the E / shards rows is repeated for the experts of its group.
  void fill_router(const std::string& parameter, std::span<float> out) const {
    const auto hidden = static_cast<std::size_t>(plan_.config.hidden_size);
    const auto shards = static_cast<std::size_t>(plan_.routed_shards);
    const std::size_t experts = out.size() / hidden;
    std::vector<float> rows(experts / shards * hidden);
    named_stream(seed_, parameter).fill_normal(rows, 0.0F, static_cast<float>(options_.router_std));
    for (std::size_t expert = 0; expert < experts; ++expert) {
      const auto row = std::span<const float>(rows).subspan(expert / shards * hidden, hidden);
      std::copy(row.begin(), row.end(), out.begin() + static_cast<std::ptrdiff_t>(expert * hidden));
    }
  }

  void fill_expert(std::int64_t layer, const std::string& projection, std::int64_t expert, std::span<float> out) const {
    const std::int64_t width = plan_.config.moe.moe_intermediate_size;
    const std::int64_t shard = options_.shared_experts + expert % plan_.routed_shards;
    copy_shards(layer, projection, shard * width, width, plan_.output_scale, out);
    if (projection.ends_with("_bias")) return;
    const std::string stream = fmt::format("{}experts.{}.", feed_forward_prefix(layer), expert);
    if (options_.drop > 0.0) {
      const auto count = static_cast<std::int64_t>(std::llround(options_.drop * static_cast<double>(width)));
      Random choice = named_stream(seed_, stream + "dropped_units");
      Random values = named_stream(seed_, stream + projection);
      redraw_units(unit_matrix(projection, out, width), draw_units(width, count, choice), values);
    }
    Random noise = named_stream(seed_, stream + projection + ".noise");
    add_noise(out, options_.noise, options_.noise_share, noise);
  }

  // `count` units of the dense network from `first` on; `scale` on what leaves it.
  void copy_shards(std::int64_t layer, const std::string& projection, std::int64_t first, std::int64_t count,
                   double scale, std::span<float> out) const {
    const std::string name = feed_forward_prefix(layer) + projection;
    if (!has_units(projection)) {
      dense_.read(name, out);
      for (float& value : out) value *= static_cast<float>(plan_.bias_scale);
      return;
    }
    const std::int64_t units = plan_.config.intermediate_size;
    const double factor = projection == "down_proj" ? scale : 1.0;
    if (count == units && factor == 1.0) return dense_.read(name, out);
    PooledVector<float> whole(out.size() / static_cast<std::size_t>(count) * static_cast<std::size_t>(units));
    dense_.read(name, whole);
    copy_units(unit_matrix(projection, std::span<const float>(whole), units), first, count, static_cast<float>(factor),
               unit_matrix(projection, out, count), 0);
  }

  const DenseModel& dense_;
  const UpcyclePlan& plan_;
  const UpcycleOptions& options_;
  std::uint64_t seed_;
};

}  // namespace

Fields UpcycleOptions::fields() {
  constexpr std::int64_t kMost = 1 << 20;
  Fields fields("upcycle");
  fields.integer("experts", experts, 1, kMost, "Routed experts of each mixture, shards counted")
      .integer("top_k", top_k, 1, kMost, "Experts per token")
      .integer("granularity", granularity, 1, kMost,
               "Shards that the feed-forward network is cut into; 1: each expert is a copy of it")
      .integer("shared_experts", shared_experts, 0, kMost, "How many of these shards serve every token")
      .integer("every", every, 1, 4096, "Every n-th layer becomes a mixture, the others stay dense")
      .choice("weighting", weighting, {"topk_then_softmax", "softmax_then_topk"},
              "Softmax over the selected experts (exact at first), or over all")
      .real("router_std", router_std, 1e-9, 10.0, "Standard deviation of the routers' first weights")
      .real("noise", noise, 0.0, 100.0, "Noise on the experts' weights, in standard deviations of each tensor")
      .real("noise_share", noise_share, 0.0, 1.0, "Share of the weights that get noise")
      .real("drop", drop, 0.0, 1.0,
            "Drop-upcycling: share of each expert's units that are drawn anew, with the mean and deviation they had")
      .integer("seed", seed, 0, std::int64_t{1} << 53, "Decides routers, noise and what is drawn anew")
      .choice("dtype", dtype, stored_as_choices(), "What weights are stored as; keep: as in the dense model");
  return fields;
}

UpcyclePlan plan_upcycle(const DecoderConfig& dense, const UpcycleOptions& options) {
  check(dense, options);
  UpcyclePlan plan;
  plan.config = sparse_config(dense, options);
  plan.routed_shards = options.granularity - options.shared_experts;
  if (is_renormalized(parse_weighting(options.weighting))) {
    plan.output_scale = static_cast<double>(plan.routed_shards);
  } else {
    plan.bias_scale = static_cast<double>(options.experts) / static_cast<double>(options.top_k);
    plan.output_scale = plan.bias_scale * static_cast<double>(plan.routed_shards);
  }
  if (options.shared_experts > 0) {
    // Qwen2-MoE weighs shared experts by the sigmoid of a learned score; one that begins at 0 halves them.
    DecoderConfig gated = plan.config;
    gated.moe.shared_expert_gate = true;
    if (architecture_for(plan.config).model_type == "witan" && architecture_for(gated).model_type != "witan") {
      plan.config = gated;
      plan.shared_scale = 2.0;
    }
  }
  plan.config.model_type = architecture_for(plan.config).model_type;
  plan.config.validate();
  plan.deviations = deviations_of(options, plan.routed_shards);
  return plan;
}

std::vector<PlannedParameter> upcycled_parameters(const DenseModel& dense, const UpcyclePlan& plan,
                                                  const UpcycleOptions& options) {
  const DecoderConfig& config = plan.config;
  const MoeOptions& moe = config.moe;
  std::vector<PlannedParameter> parameters;
  for (const ParameterOutline& outline : dense.parameters()) {
    const FeedForwardName name = feed_forward_name(outline.name);
    if (name.layer >= 0 && config.is_moe_layer(name.layer)) continue;
    parameters.push_back({outline, stored_as(options.dtype, dense.dtype(outline.name))});
  }
  for (std::int64_t layer = 0; layer < config.num_hidden_layers; ++layer) {
    if (!config.is_moe_layer(layer)) continue;
    const std::string prefix = feed_forward_prefix(layer);
    const DType dtype = stored_as(options.dtype, dense.dtype(prefix + "up_proj"));
    parameters.push_back({{prefix + kGate, {moe.num_experts, config.hidden_size}}, dtype});
    const auto add = [&](const std::string& part, std::int64_t count, std::int64_t width, bool bias) {
      for (const ParameterOutline& outline :
           feed_forward_outline(prefix + part, count, config.hidden_size, width, moe.gated, bias)) {
        const std::string projection = outline.name.substr(prefix.size() + part.size());
        parameters.push_back({outline, stored_as(options.dtype, dense.dtype(prefix + projection))});
      }
    };
    add(std::string(kExpertsPrefix), moe.num_experts, moe.moe_intermediate_size, moe.expert_bias);
    if (moe.shared_width() > 0) add(std::string(kSharedPrefix), 1, moe.shared_width(), false);
    if (moe.shared_expert_gate) parameters.push_back({{prefix + kSharedGate, {1, config.hidden_size}}, dtype});
  }
  return parameters;
}

void write_upcycled(const DenseModel& dense, const UpcyclePlan& plan, const UpcycleOptions& options,
                    const std::filesystem::path& output, const WriteListener& listener) {
  const Upcycler upcycler(dense, plan, options);
  const auto source = [&](const std::string& parameter, std::int64_t bank, std::span<float> out) {
    upcycler.fill(parameter, bank, out);
  };
  write_model_folder(output, plan.config, upcycled_parameters(dense, plan, options), source, dense.folder(), listener);
}

}  // namespace witan
