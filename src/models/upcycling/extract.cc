// Dense networks put together of experts.
#include "models/upcycling/extract.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/error.h"
#include "base/number_list.h"
#include "base/pool.h"
#include "models/arch/architecture.h"
#include "models/outline.h"
#include "models/upcycling/units.h"
#include "routers/table.h"
#include "routers/weighting.h"

namespace witan {
namespace {

constexpr std::int64_t kMean = -1;

void check_mixture(const DecoderConfig& config, const ExtractOptions& options) {
  const MoeOptions& moe = config.moe;
  if (config.num_moe_layers() == 0) fail("extract: the model has no mixture of experts; it is dense already");
  if (find_router(moe.router).kind == RouterKind::kRetrieval) {
    fail("extract: the experts of the router '{}' are single neurons, not networks", moe.router);
  }
  if (moe.swiglu_limit > 0.0) {
    fail("extract: the experts have gpt-oss' clamped unit (swiglu_limit={}), which no dense network here has",
         moe.swiglu_limit);
  }
  if (config.num_moe_layers() < config.num_hidden_layers && config.dense_is_gated() != moe.gated) {
    fail("extract: the dense layers are {}, the experts {}: one model has one kind",
         config.dense_is_gated() ? "gated" : "plain", moe.gated ? "gated" : "plain");
  }
  if (options.shared == "keep" && moe.shared_width() > 0 && (moe.shared_expert_gate || moe.cmr_gate)) {
    fail(
        "extract: the shared experts stand behind a gate that looks at the token, which no dense network has; leave "
        "them out with --shared drop");
  }
}

std::vector<std::int64_t> experts_of_layers(const DecoderConfig& config, const ExtractOptions& options) {
  std::vector<std::int64_t> experts(static_cast<std::size_t>(config.num_hidden_layers), kMean);
  if (options.mean) return experts;
  const std::vector<std::int64_t> chosen = parse_integers("extract.expert", options.expert);
  const std::int64_t mixtures = config.num_moe_layers();
  if (chosen.size() != 1 && static_cast<std::int64_t>(chosen.size()) != mixtures) {
    fail("extract.expert: '{}' names {} experts, expected one, or one for each of the {} mixtures", options.expert,
         chosen.size(), mixtures);
  }
  std::size_t next = 0;
  for (std::int64_t layer = 0; layer < config.num_hidden_layers; ++layer) {
    if (!config.is_moe_layer(layer)) continue;
    const std::int64_t expert = chosen.size() == 1 ? chosen.front() : chosen[next++];
    if (expert < 0 || expert >= config.moe.num_experts) {
      fail("extract.expert: {} is no expert, expected 0 to {}", expert, config.moe.num_experts - 1);
    }
    experts[static_cast<std::size_t>(layer)] = expert;
  }
  return experts;
}

// The dense networks of one plan, made from the mixture when they are asked for.
class Extractor {
 public:
  Extractor(const StoredWeights& mixture, const ExtractPlan& plan)
      : config_(mixture.config()),
        plan_(plan),
        shared_units_(plan.keeps_shared ? config_.moe.shared_width() : 0),
        stored_(mixture, outline(mixture.config(), plan), StoredWeights::Extras::kAllow) {}

  void fill(const std::string& parameter, std::span<float> out) const {
    const FeedForwardName name = feed_forward_name(parameter);
    if (name.layer < 0) {
      stored_.read(parameter, 0, out);
    } else if (!has_units(name.local)) {
      fill_output_bias(name, out);
    } else {
      fill_units(name, out);
    }
  }

  DType dtype(const std::string& parameter) const {
    const FeedForwardName name = feed_forward_name(parameter);
    if (name.layer < 0) return stored_.dtype(parameter);
    const std::string weight = name.local.substr(0, name.local.find("_bias"));  // a layer may lack the bias
    return stored_.dtype(feed_forward_prefix(name.layer) + (config_.is_moe_layer(name.layer) ? "experts." : "") +
                         weight);
  }

 private:
  static std::vector<ParameterOutline> outline(const DecoderConfig& config, const ExtractPlan& plan) {
    std::vector<ParameterOutline> all = outline_without_feed_forward(plan.config);
    const MoeOptions& moe = config.moe;
    const auto add = [&](const std::string& prefix, std::int64_t count, std::int64_t width, bool bias) {
      const auto bank = feed_forward_outline(prefix, count, config.hidden_size, width, moe.gated, bias);
      all.insert(all.end(), bank.begin(), bank.end());
    };
    for (std::int64_t layer = 0; layer < config.num_hidden_layers; ++layer) {
      const std::string prefix = feed_forward_prefix(layer);
      if (!config.is_moe_layer(layer)) {
        add(prefix, 1, config.intermediate_size, config.mlp_bias);
        continue;
      }
      add(prefix + "experts.", moe.num_experts, moe.moe_intermediate_size, moe.expert_bias);
      if (plan.keeps_shared) add(prefix + "shared_expert.", 1, moe.shared_width(), false);
    }
    return all;
  }

  // The expert that the plan names, or the mean of all: of equal numbers it is that number, since the sums are exact.
  void read_expert(const FeedForwardName& name, std::span<float> out) const {
    const std::string parameter = feed_forward_prefix(name.layer) + "experts." + name.local;
    const std::int64_t expert = plan_.experts[static_cast<std::size_t>(name.layer)];
    if (expert != kMean) return stored_.read(parameter, expert, out);
    PooledVector<double> sums(out.size(), 0.0);
    for (std::int64_t e = 0; e < config_.moe.num_experts; ++e) {
      stored_.read(parameter, e, out);
      for (std::size_t i = 0; i < out.size(); ++i) sums[i] += static_cast<double>(out[i]);
    }
    for (std::size_t i = 0; i < out.size(); ++i) {
      out[i] = static_cast<float>(sums[i] / static_cast<double>(config_.moe.num_experts));
    }
  }

  void fill_output_bias(const FeedForwardName& name, std::span<float> out) const {
    const bool mixture = config_.is_moe_layer(name.layer);
    if (mixture ? config_.moe.expert_bias : config_.mlp_bias) {
      if (!mixture) return stored_.read(feed_forward_prefix(name.layer) + name.local, 0, out);
      read_expert(name, out);
      for (float& value : out) value *= static_cast<float>(plan_.output_scale);
    } else {
      std::fill(out.begin(), out.end(), 0.0F);
    }
  }

  void fill_units(const FeedForwardName& name, std::span<float> out) const {
    const std::int64_t units = plan_.config.intermediate_size;
    const std::int64_t width = static_cast<std::int64_t>(out.size()) / units;
    const bool mixture = config_.is_moe_layer(name.layer);
    const std::int64_t own = mixture ? config_.moe.moe_intermediate_size : config_.intermediate_size;
    const bool bias = name.local.ends_with("_bias");
    const bool has_bias = mixture ? config_.moe.expert_bias : config_.mlp_bias;
    const auto factor = static_cast<float>(mixture && name.local == "down_proj" ? plan_.output_scale : 1.0);
    const auto read_own = [&](std::span<float> values) {
      mixture ? read_expert(name, values) : stored_.read(feed_forward_prefix(name.layer) + name.local, 0, values);
    };
    if (own == units && factor == 1.0F && (!bias || has_bias)) return read_own(out);
    std::fill(out.begin(), out.end(), 0.0F);
    const UnitMatrix<float> whole = unit_matrix(name.local, out, units);
    const std::int64_t before = mixture ? shared_units_ : 0;
    const auto join = [&](std::int64_t count, float scale, std::int64_t first, const auto& read) {
      PooledVector<float> values(static_cast<std::size_t>(count * width));
      read(std::span<float>(values));
      copy_units(unit_matrix(name.local, std::span<const float>(values), count), 0, count, scale, whole, first);
    };
    if (before > 0 && !bias) {
      join(before, 1.0F, 0, [&](std::span<float> values) {
        stored_.read(feed_forward_prefix(name.layer) + "shared_expert." + name.local, 0, values);
      });
    }
    if (!bias || has_bias) join(own, factor, before, read_own);
  }

  const DecoderConfig& config_;
  const ExtractPlan& plan_;
  std::int64_t shared_units_;
  StoredParameters stored_;
};

}  // namespace

Fields ExtractOptions::fields() {
  Fields fields("extract");
  fields.text("expert", expert, "The expert of every mixture, or one for each of them: 3,0,7")
      .flag("mean", mean, "The mean of all experts instead of one")
      .choice("shared", shared, {"keep", "drop"}, "Shared experts become part of the dense network, or are left out")
      .choice("dtype", dtype, stored_as_choices(), "What weights are stored as; keep: as in the mixture");
  return fields;
}

ExtractPlan plan_extraction(const DecoderConfig& mixture, const ExtractOptions& options) {
  check_mixture(mixture, options);
  const MoeOptions& moe = mixture.moe;
  ExtractPlan plan;
  plan.experts = experts_of_layers(mixture, options);
  plan.keeps_shared = options.shared == "keep" && moe.shared_width() > 0;
  const bool has_dense = mixture.num_moe_layers() < mixture.num_hidden_layers;
  const std::int64_t width = moe.moe_intermediate_size + (plan.keeps_shared ? moe.shared_width() : 0);
  plan.config = without_mixtures(mixture);
  plan.config.moe.gated = moe.gated;
  plan.config.intermediate_size = has_dense ? std::max(width, mixture.intermediate_size) : width;
  plan.config.mlp_bias = moe.expert_bias || (has_dense && mixture.mlp_bias);
  plan.config.model_type = architecture_for(plan.config).model_type;
  plan.config.validate();
  if (parse_weighting(moe.weighting) == Weighting::kSigmoidTopKNorm) plan.output_scale = moe.routed_scaling_factor;
  plan.output_scale *= 1.0 - moe.expert_output_masking;
  if (has_dense && width != mixture.intermediate_size) {
    plan.notes.push_back(
        fmt::format("dense layers are {} units wide, mixtures give {}: the narrower are filled up with "
                    "units of zeros, which change nothing",
                    mixture.intermediate_size, width));
  }
  if (!is_renormalized(parse_weighting(moe.weighting)) && find_router(moe.router).uses_weighting) {
    plan.notes.push_back(
        fmt::format("the mixture's weights ({}) do not sum to 1; here the expert counts in full", moe.weighting));
  }
  if (options.shared == "drop" && moe.shared_width() > 0) plan.notes.emplace_back("the shared experts are left out");
  return plan;
}

std::vector<PlannedParameter> extracted_parameters(const StoredWeights& mixture, const ExtractPlan& plan,
                                                   const ExtractOptions& options) {
  const Extractor extractor(mixture, plan);
  std::vector<PlannedParameter> parameters;
  for (const ParameterOutline& outline : dense_outline(plan.config)) {
    parameters.push_back({outline, stored_as(options.dtype, extractor.dtype(outline.name))});
  }
  return parameters;
}

void write_extracted(const StoredWeights& mixture, const ExtractPlan& plan, const ExtractOptions& options,
                     const std::filesystem::path& output, const WriteListener& listener) {
  const Extractor extractor(mixture, plan);
  const auto source = [&](const std::string& parameter, std::int64_t, std::span<float> out) {
    extractor.fill(parameter, out);
  };
  write_model_folder(output, plan.config, extracted_parameters(mixture, plan, options), source, mixture.folder(),
                     listener);
}

}  // namespace witan
