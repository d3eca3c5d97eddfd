// Experts from several folders.
#include "models/upcycling/join.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/pool.h"
#include "models/arch/equivalence.h"
#include "models/initialize.h"
#include "models/outline.h"

namespace witan {
namespace {

constexpr const char* kRouterRows = "gate.weight";
constexpr std::string_view kJoinedExperts = "experts.";

UpcycleOptions upcycling(DenseModels models, const JoinOptions& options) {
  UpcycleOptions result;
  result.experts = static_cast<std::int64_t>(models.size());
  result.top_k = options.top_k;
  result.every = options.every;
  result.weighting = options.weighting;
  result.router_std = options.router_std;
  result.seed = options.seed;
  result.dtype = options.dtype;
  return result;
}

void check_alike(const DenseModel& first, const DenseModel& other) {
  const auto shape_in = [](const DenseModel& model, const std::string& name) -> std::string {
    const auto found = std::ranges::find(model.parameters(), name, &ParameterOutline::name);
    return found == model.parameters().end() ? "no such tensor" : found->shape.to_string();
  };
  for (const DenseModel* model : {&first, &other}) {
    for (const ParameterOutline& parameter : model->parameters()) {
      const std::string here = shape_in(first, parameter.name);
      const std::string there = shape_in(other, parameter.name);
      if (here == there) continue;
      fail("join: '{}' is {} in {}, but {} in {}: experts come from fine-tunes of one model", parameter.name, here,
           first.folder().string(), there, other.folder().string());
    }
  }
  const nlohmann::json here = computed_form(first.config());
  const nlohmann::json there = computed_form(other.config());
  for (const auto& [key, value] : here.items()) {
    if (there.at(key) == value) continue;
    fail("join: {} is {} in {}, but {} in {}: experts come from fine-tunes of one model", key, value.dump(),
         first.folder().string(), there.at(key).dump(), other.folder().string());
  }
}

class Joiner {
 public:
  Joiner(DenseModels models, const UpcyclePlan& plan, const JoinOptions& options,
         std::span<const LayerDirections> directions)
      : models_(models), plan_(plan), options_(options), directions_(directions) {
    WITAN_ASSERT(options.router == "hidden" ? directions.size() == models.size() : directions.empty());
  }

  void fill(const std::string& parameter, std::int64_t bank, std::span<float> out) const {
    const FeedForwardName name = feed_forward_name(parameter);
    if (name.layer < 0 || !plan_.config.is_moe_layer(name.layer)) {
      fill_common(parameter, out);
    } else if (name.local == kRouterRows) {
      fill_router(parameter, name.layer, out);
    } else {
      WITAN_ASSERT(name.local.starts_with(kJoinedExperts));
      const std::string projection = name.local.substr(kJoinedExperts.size());
      models_[static_cast<std::size_t>(bank)]->read(feed_forward_prefix(name.layer) + projection, out);
      const double scale = projection == "down_proj"        ? plan_.output_scale
                           : projection == "down_proj_bias" ? plan_.bias_scale
                                                            : 1.0;
      if (scale == 1.0) return;
      for (float& value : out) value *= static_cast<float>(scale);
    }
  }

 private:
  // The mean of equal numbers is that number, since the sums are exact.
  void fill_common(const std::string& parameter, std::span<float> out) const {
    models_.front()->read(parameter, out);
    if (options_.others == "first") return;
    PooledVector<double> sums(out.begin(), out.end());
    for (const std::unique_ptr<DenseModel>& model : models_.subspan(1)) {
      model->read(parameter, out);
      for (std::size_t i = 0; i < out.size(); ++i) sums[i] += static_cast<double>(out[i]);
    }
    const auto count = static_cast<double>(models_.size());
    std::ranges::transform(sums, out.begin(), [=](double sum) { return static_cast<float>(sum / count); });
  }

  void fill_router(const std::string& parameter, std::int64_t layer, std::span<float> out) const {
    if (options_.router == "zero") {
      std::fill(out.begin(), out.end(), 0.0F);
    } else if (options_.router == "random") {
      Random random = named_stream(static_cast<std::uint64_t>(options_.seed), parameter);
      random.fill_normal(out, 0.0F, static_cast<float>(options_.router_std));
    } else {
      auto next = out.begin();
      for (const LayerDirections& of_model : directions_) {
        next = std::ranges::copy(of_model[static_cast<std::size_t>(layer)], next).out;
      }
    }
  }

  DenseModels models_;
  const UpcyclePlan& plan_;
  const JoinOptions& options_;
  std::span<const LayerDirections> directions_;
};

}  // namespace

Fields JoinOptions::fields() {
  Fields fields("join");
  fields.integer("top_k", top_k, 1, 1 << 20, "Experts per token")
      .integer("every", every, 1, 4096, "Every n-th layer becomes a mixture, the others are joined as all the rest")
      .choice("weighting", weighting, {"topk_then_softmax", "softmax_then_topk"},
              "Softmax over the selected experts, or over all")
      .choice("others", others, {"mean", "first"}, "All that is no expert: the mean of the models, or the first one's")
      .choice("router", router, {"hidden", "random", "zero"},
              "First weights of the routers: what each model's prompts look like there, random, or zero")
      .real("router_std", router_std, 1e-9, 10.0, "Standard deviation of random routers")
      .integer("seed", seed, 0, std::int64_t{1} << 53, "Decides random routers")
      .choice("dtype", dtype, stored_as_choices(), "What weights are stored as; keep: as in the first model");
  return fields;
}

UpcyclePlan plan_join(DenseModels models, const JoinOptions& options) {
  if (models.size() < 2) fail("join: {} models, expected at least two", models.size());
  if (options.top_k > std::ssize(models)) fail("join.top_k: top_k={} exceeds {} models", options.top_k, models.size());
  for (const std::unique_ptr<DenseModel>& model : models.subspan(1)) check_alike(*models.front(), *model);
  UpcyclePlan plan = plan_upcycle(models.front()->config(), upcycling(models, options));
  // Only the factor of a whole network is asked for: experts that differ make no dense model whole.
  plan.deviations.clear();
  return plan;
}

std::vector<PlannedParameter> joined_parameters(DenseModels models, const UpcyclePlan& plan,
                                                const JoinOptions& options) {
  return upcycled_parameters(*models.front(), plan, upcycling(models, options));
}

void write_joined(DenseModels models, const UpcyclePlan& plan, const JoinOptions& options,
                  std::span<const LayerDirections> directions, const std::filesystem::path& output,
                  const WriteListener& listener) {
  const Joiner joiner(models, plan, options, directions);
  const auto source = [&](const std::string& parameter, std::int64_t bank, std::span<float> out) {
    joiner.fill(parameter, bank, out);
  };
  write_model_folder(output, plan.config, joined_parameters(models, plan, options), source, models.front()->folder(),
                     listener);
}

}  // namespace witan
