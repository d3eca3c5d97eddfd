// Dense folders, and mixtures that are dense in all but name.
#include "models/upcycling/dense_model.h"

#include "base/error.h"
#include "models/arch/architecture.h"
#include "models/outline.h"

namespace witan {
namespace {

// Whether every row gets the only expert with weight 1.
bool is_one_constant_expert(const MoeOptions& moe) {
  const bool weight_is_one = moe.router == "dense" || (moe.router == "top_k" && moe.weighting != "sigmoid_scaled" &&
                                                       moe.routed_scaling_factor == 1.0);
  const bool dropless = moe.eval_capacity_fraction == 0.0 &&
                        (moe.eval_capacity_factor == RouterOptions::kRouterDefault || moe.eval_capacity_factor == 0.0);
  return moe.num_experts == 1 && weight_is_one && dropless && moe.shared_width() == 0 && moe.swiglu_limit == 0.0 &&
         moe.expert_output_masking == 0.0 && !moe.cmr_gate;
}

DecoderConfig dense_config(const DecoderConfig& config, const std::filesystem::path& folder) {
  const std::int64_t mixtures = config.num_moe_layers();
  const auto named = [](DecoderConfig dense) {
    dense.model_type = architecture_for(dense).model_type;
    return dense;
  };
  if (mixtures == 0) {
    DecoderConfig dense = without_mixtures(config);
    dense.model_type = config.model_type;
    return named(std::move(dense));
  }
  const MoeOptions& moe = config.moe;
  if (!is_one_constant_expert(moe)) {
    fail(
        "{}: not a dense model: {} of {} layers are mixtures of {} experts. Experts are made from dense models; `witan "
        "extract` makes one of a mixture",
        folder.string(), mixtures, config.num_hidden_layers, moe.num_experts);
  }
  const bool alike = config.intermediate_size == moe.moe_intermediate_size && config.mlp_bias == moe.expert_bias &&
                     config.dense_is_gated() == moe.gated;
  if (mixtures < config.num_hidden_layers && !alike) {
    fail("{}: its dense layers have intermediate_size={}, its layers of one expert {}: expected the same width",
         folder.string(), config.intermediate_size, moe.moe_intermediate_size);
  }
  DecoderConfig dense = without_mixtures(config);
  dense.moe.gated = moe.gated;
  dense.intermediate_size = moe.moe_intermediate_size;
  dense.mlp_bias = moe.expert_bias;
  return named(std::move(dense));
}

}  // namespace

DenseModel::DenseModel(const std::filesystem::path& folder)
    : weights_(folder),
      config_(dense_config(weights_.config(), folder)),
      parameters_(dense_outline(config_)),
      stored_(
          weights_, stored_outline(),
          // The gate of a single expert says nothing.
          weights_.config().num_moe_layers() == 0 ? StoredWeights::Extras::kRefuse : StoredWeights::Extras::kAllow) {}

std::string DenseModel::stored_name_of(const std::string& parameter) const {
  const FeedForwardName name = feed_forward_name(parameter);
  if (name.layer < 0 || !weights_.config().is_moe_layer(name.layer)) return parameter;
  return feed_forward_prefix(name.layer) + "experts." + name.local;
}

std::vector<ParameterOutline> DenseModel::stored_outline() const {
  std::vector<ParameterOutline> outline = parameters_;
  for (ParameterOutline& parameter : outline) parameter.name = stored_name_of(parameter.name);
  return outline;
}

void DenseModel::read(const std::string& parameter, std::span<float> out) const {
  stored_.read(stored_name_of(parameter), 0, out);
}

}  // namespace witan
