// Observers that keep what they see.
#include "inference/tensor_dump.h"

#include <fmt/core.h>
#include <fnmatch.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <set>

#include "base/error.h"
#include "base/suggest.h"
#include "dispatch/row_experts.h"
#include "routers/table.h"

namespace witan {
namespace {

// Of a layer, in the order of the graph.
constexpr std::array<std::string_view, 8> kParts = {"attention",      "cross_attention", "moe.router",
                                                    "moe.topk_index", "moe.topk_weight", "moe.output",
                                                    "mlp.output",     "output"};

void add_layer(std::vector<std::string>& names, const std::string& prefix, std::int64_t layer, bool sparse, bool gated,
               bool chooses, bool crosses) {
  for (const std::string_view part : kParts) {
    const bool of_mixture = part.starts_with("moe.");
    if (of_mixture != sparse && (of_mixture || part == "mlp.output")) continue;
    if (part == "moe.router" && !gated) continue;
    if (part.starts_with("moe.topk") && !chooses) continue;
    if (part == "cross_attention" && !crosses) continue;
    names.push_back(fmt::format("{}layers.{}.{}", prefix, layer, part));
  }
}

// The number that a text begins with, which is cut off; -1: none.
std::int64_t take_number(std::string_view& text) {
  std::int64_t number = -1;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc()) return -1;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return number;
}

class Keeper {
 public:
  explicit Keeper(const std::vector<std::string>& names) : wanted_(names.begin(), names.end()) {}

  void keep(const std::string& name, const Tensor& tensor) {
    if (!wanted_.contains(name)) return;
    std::vector<std::int64_t> shape;
    for (int i = 0; i < tensor.shape().rank(); ++i) shape.push_back(tensor.dim(i));
    const std::span<const float> values = tensor.values();
    tensors_.push_back({name, std::move(shape), {values.begin(), values.end()}});
  }

  // "<prefix>.topk_index" and "<prefix>.topk_weight"; k is the most that any row chose.
  void keep_choices(const std::string& prefix, const Assignment& assignment) {
    const std::string index_name = prefix + ".topk_index";
    const std::string weight_name = prefix + ".topk_weight";
    if (!wanted_.contains(index_name) && !wanted_.contains(weight_name)) return;
    std::vector<RowExperts> rows = experts_by_row(assignment);
    for (std::size_t i = 0; i < assignment.dropped_rows.size(); ++i) {
      RowExperts& row = rows[static_cast<std::size_t>(assignment.dropped_rows[i])];
      const auto rank = std::min(static_cast<std::size_t>(assignment.dropped_ranks[i]), row.experts.size());
      row.experts.insert(row.experts.begin() + static_cast<std::ptrdiff_t>(rank), assignment.dropped_experts[i]);
      row.weights.insert(row.weights.begin() + static_cast<std::ptrdiff_t>(rank), 0.0F);
    }
    std::size_t most = 1;
    for (const RowExperts& row : rows) most = std::max(most, row.experts.size());
    PooledVector<float> indices(rows.size() * most, -1.0F);
    PooledVector<float> weights(rows.size() * most, 0.0F);
    for (std::size_t row = 0; row < rows.size(); ++row) {
      for (std::size_t i = 0; i < rows[row].experts.size(); ++i) {
        indices[row * most + i] = static_cast<float>(rows[row].experts[i]);
        weights[row * most + i] = rows[row].weights[i];
      }
    }
    const std::vector<std::int64_t> shape = {static_cast<std::int64_t>(rows.size()), static_cast<std::int64_t>(most)};
    if (wanted_.contains(index_name)) tensors_.push_back({index_name, shape, std::move(indices)});
    if (wanted_.contains(weight_name)) tensors_.push_back({weight_name, shape, std::move(weights)});
  }

  // In the order of the graph, which is not that in which observers are called.
  std::vector<DumpedTensor> take() {
    std::ranges::stable_sort(tensors_, {}, [](const DumpedTensor& tensor) { return graph_position(tensor.name); });
    return std::move(tensors_);
  }

 private:
  std::set<std::string> wanted_;
  std::vector<DumpedTensor> tensors_;
};

}  // namespace

const DumpedTensor* TensorDump::find(std::string_view name) const {
  const auto found = std::ranges::find(tensors, name, &DumpedTensor::name);
  return found == tensors.end() ? nullptr : &*found;
}

std::vector<std::string> dump_names(const DecoderConfig& config) {
  const RouterEntry& router = find_router(config.mixture_options().router);
  const bool chooses = router.kind == RouterKind::kChoice || router.kind == RouterKind::kEveryExpert;
  std::vector<std::string> names = {"embedding"};
  for (std::int64_t layer = 0; layer < config.num_hidden_layers; ++layer) {
    add_layer(names, "", layer, config.is_moe_layer(layer), router.uses_gate, chooses, false);
  }
  names.insert(names.end(), {"final_norm", "logits"});
  return names;
}

std::vector<std::string> dump_names(const EncoderDecoderConfig& config) {
  std::vector<std::string> names;
  for (const bool decoder : {false, true}) {
    const StackConfig& stack = decoder ? config.decoder : config.encoder;
    const std::string prefix = decoder ? "decoder." : "encoder.";
    names.push_back(prefix + "embedding");
    for (std::int64_t layer = 0; layer < stack.num_layers(); ++layer) {
      add_layer(names, prefix, layer, stack.sparse[static_cast<std::size_t>(layer)], true, true, decoder);
    }
    names.push_back(prefix + "final_norm");
  }
  names.emplace_back("logits");
  return names;
}

std::vector<std::string> select_names(const std::vector<std::string>& names, const std::vector<std::string>& patterns) {
  std::set<std::string> selected;
  for (const std::string& pattern : patterns) {
    bool found = false;
    for (const std::string& name : names) {
      if (::fnmatch(pattern.c_str(), name.c_str(), 0) != 0) continue;
      selected.insert(name);
      found = true;
    }
    if (!found) {
      fail("dump: no tensor is called '{}'{}; names are such as {}, and * stands for anything", pattern,
           suggestion(pattern, names), comma_list(std::vector<std::string>{names.front(), names[1], names.back()}));
    }
  }
  std::vector<std::string> in_order;
  for (const std::string& name : names) {
    if (selected.contains(name)) in_order.push_back(name);
  }
  return in_order;
}

TensorDump dump_pass(Decoder& model, std::span<const std::int32_t> ids, const std::vector<std::string>& names) {
  Keeper keeper(names);
  const TensorObserver tensors = [&](const std::string& name, const Tensor& tensor) { keeper.keep(name, tensor); };
  const RoutingObserver routing = [&](std::int64_t layer, const Routing& seen, const auto&...) {
    keeper.keep_choices(fmt::format("layers.{}.moe", layer), *seen.assignment);
  };
  Tape off;
  const Tensor hidden =
      model.forward(off, ids, 1, static_cast<std::int64_t>(ids.size()), {}, nullptr, {routing, tensors}).hidden;
  if (std::ranges::find(names, "logits") != names.end()) keeper.keep("logits", model.logits(hidden));
  return {model.config().model_type, {ids.begin(), ids.end()}, {}, keeper.take()};
}

TensorDump dump_pass(const EncoderDecoder& model, std::span<const std::int32_t> ids,
                     std::span<const std::int32_t> output_ids, const std::vector<std::string>& names) {
  Keeper keeper(names);
  const EncoderDecoderObserver observer{
      .mixtures = [&](const std::string& router, const Routing& seen,
                      const auto&...) { keeper.keep_choices(mixture_prefix(router, true), *seen.assignment); },
      .tensors = [&](const std::string& name, const Tensor& tensor) { keeper.keep(name, tensor); }};
  Translation translation = model.start(model.encode(ids, observer));
  const Tensor decoded = model.decode(output_ids, translation, observer);
  if (std::ranges::find(names, "logits") != names.end()) keeper.keep("logits", model.logits(decoded));
  return {model.config().model_type, {ids.begin(), ids.end()}, {output_ids.begin(), output_ids.end()}, keeper.take()};
}

std::string mixture_prefix(std::string_view name, bool has_sides) {
  const std::size_t digit = name.find_first_of("0123456789");
  if (digit == std::string_view::npos) return {};
  std::string_view rest = name.substr(digit);
  const std::int64_t layer = take_number(rest);
  if (layer < 0) return {};  // of too many digits
  const bool encoder = name.find("encoder.") != std::string_view::npos;
  return fmt::format("{}layers.{}.moe", !has_sides ? "" : encoder ? "encoder." : "decoder.", layer);
}

std::vector<std::int64_t> graph_position(std::string_view name) {
  constexpr std::int64_t kLast = 1 << 20;
  if (name == "logits") return {2, 0, 0};
  std::int64_t side = 0;
  if (name.starts_with("encoder.") || name.starts_with("decoder.")) {
    side = name.front() == 'd' ? 1 : 0;
    name.remove_prefix(std::string_view("encoder.").size());
  }
  if (name == "embedding") return {side, -1, 0};
  if (name == "final_norm") return {side, kLast, 0};
  constexpr std::string_view kLayers = "layers.";
  if (!name.starts_with(kLayers)) return {3, 0, 0};
  name.remove_prefix(kLayers.size());
  const std::int64_t layer = take_number(name);
  if (layer < 0 || !name.starts_with('.')) return {3, 0, 0};
  const auto part = std::ranges::find(kParts, name.substr(1));
  return {side, layer, part - kParts.begin()};
}

}  // namespace witan
