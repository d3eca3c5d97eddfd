// PEER: each row retrieves a few of very many single neurons by product keys. Time and memory of a row grow as the
// square root of the number of experts.
#include <algorithm>
#include <cmath>
#include <utility>

#include "autograd/ops/batch_norm.h"
#include "autograd/ops/linear.h"
#include "autograd/ops/norm.h"
#include "autograd/ops/softmax.h"
#include "base/error.h"
#include "dispatch/sort_by_expert.h"
#include "routers/product_key_search.h"
#include "routers/table.h"

namespace witan {
namespace {

constexpr float kEpsilon = 1e-5F;
constexpr float kMomentum = 0.1F;  // of the running statistics, as in PyTorch

struct PeerSizes {
  std::int64_t sub_keys = 0;  // n, per half
  std::int64_t heads = 0;     // queries per row
  std::int64_t per_head = 0;  // experts that one query retrieves
  std::int64_t key_size = 0;  // of a sub-key
};

enum class QueryNorm { kNone, kLayer, kBatch };

QueryNorm parse_query_norm(const RouterOptions& options) {
  const std::string& name = options.router_extra.text("peer_query_norm");
  return name == "layer" ? QueryNorm::kLayer : name == "batch" ? QueryNorm::kBatch : QueryNorm::kNone;
}

Tensor drawn(Shape shape, double deviation, Random& random) {
  Tensor tensor = Tensor::uninitialized(shape);
  random.fill_normal(tensor.values(), 0.0F, static_cast<float>(deviation));
  tensor.set_requires_grad(true);
  return tensor;
}

Tensor filled(std::int64_t size, float value) {
  Tensor tensor = Tensor::full({size}, value);
  tensor.set_requires_grad(true);
  return tensor;
}

// One half of the queries and of the keys.
class Half {
 public:
  Half(const PeerSizes& sizes, QueryNorm norm, std::int64_t hidden_size, Random& random)
      : sizes_(sizes),
        norm_(norm),
        query_(drawn({sizes.heads * sizes.key_size, hidden_size}, 1.0 / std::sqrt(static_cast<double>(hidden_size)),
                     random)),
        keys_(drawn({sizes.sub_keys, sizes.key_size}, 1.0 / std::sqrt(static_cast<double>(sizes.key_size)), random)) {
    if (norm_ == QueryNorm::kNone) return;
    const std::int64_t width = norm_ == QueryNorm::kLayer ? sizes.key_size : sizes.heads * sizes.key_size;
    weight_ = filled(width, 1.0F);
    bias_ = filled(width, 0.0F);
    if (norm_ == QueryNorm::kBatch) running_ = {Tensor::zeros({width}), Tensor::full({width}, 1.0F)};
  }

  // rows [T, D] -> scores of the sub-keys [T * heads, n].
  Tensor scores(Tape& tape, const Tensor& rows, const RouterContext& context) const {
    Tensor queries = ops::linear(tape, rows, query_);
    if (norm_ == QueryNorm::kBatch) queries = over_batch(tape, queries, context);
    queries = queries.reshaped({rows.rows() * sizes_.heads, sizes_.key_size});
    if (norm_ == QueryNorm::kLayer) queries = ops::layer_norm(tape, queries, weight_, bias_, kEpsilon);
    return ops::linear(tape, queries, keys_);
  }

  void append_parameters(const std::string& prefix, std::vector<Parameter>& all) const {
    all.push_back({prefix + "query", query_});
    all.push_back({prefix + "keys", keys_, false});
    if (norm_ == QueryNorm::kNone) return;
    all.push_back({prefix + "norm.weight", weight_, false});
    all.push_back({prefix + "norm.bias", bias_, false});
  }
  void append_buffers(const std::string& prefix, std::vector<Parameter>& all) const {
    if (norm_ != QueryNorm::kBatch) return;
    all.push_back({prefix + "norm.running_mean", running_.mean, false});
    all.push_back({prefix + "norm.running_var", running_.variance, false});
  }

 private:
  Tensor over_batch(Tape& tape, const Tensor& queries, const RouterContext& context) const {
    if (!context.training) return ops::batch_norm(tape, queries, weight_, bias_, running_, false, {}, kEpsilon);
    const ops::ColumnStatistics seen = ops::column_statistics(queries, context.row_mask);
    for (const auto& [running, batch] :
         {std::pair(running_.mean, seen.mean), std::pair(running_.variance, seen.variance)}) {
      for (std::size_t c = 0; c < running.values().size(); ++c) {
        running.values()[c] += kMomentum * (batch.values()[c] - running.values()[c]);
      }
    }
    return ops::batch_norm(tape, queries, weight_, bias_, seen, true, context.row_mask, kEpsilon);
  }

  PeerSizes sizes_;
  QueryNorm norm_;
  Tensor query_;   // [heads * key_size, D]
  Tensor keys_;    // [n, key_size], of all heads
  Tensor weight_;  // undefined without a norm
  Tensor bias_;
  ops::ColumnStatistics running_;  // of the norm over the batch
};

// For metrics and observers: the experts i n .. i n + n - 1 that share a first sub-key are group i, and a row's weight
// there is the sum over its experts of the group.
std::shared_ptr<const Assignment> group_assignment(std::span<const std::int32_t> experts, ConstMatrix weights,
                                                   std::int64_t groups) {
  const std::int64_t slots = std::min(weights.cols, groups);
  Choices choices{weights.rows, groups, slots, {}};
  choices.experts.assign(static_cast<std::size_t>(weights.rows * slots), kNoExpert);
  PooledVector<float> sums(choices.experts.size(), 0.0F);
  PooledVector<std::int64_t> slot_of(static_cast<std::size_t>(groups), -1);
  for (std::int64_t row = 0; row < weights.rows; ++row) {
    const std::int64_t begin = row * slots;
    std::int64_t next = begin;
    for (std::int64_t i = 0; i < weights.cols; ++i) {
      const std::int32_t expert = experts[static_cast<std::size_t>(row * weights.cols + i)];
      if (expert < 0) continue;
      std::int64_t& slot = slot_of[static_cast<std::size_t>(expert / groups)];
      if (slot < begin) {
        slot = next++;
        choices.experts[static_cast<std::size_t>(slot)] = static_cast<std::int32_t>(expert / groups);
      }
      sums[static_cast<std::size_t>(slot)] += weights(row, i);
    }
  }
  return sort_by_expert(choices, sums, {}).assignment;
}

class PeerRouter final : public Router {
 public:
  PeerRouter(const PeerSizes& sizes, QueryNorm norm, std::int64_t hidden_size, Random& random)
      : sizes_(sizes), first_(sizes, norm, hidden_size, random), second_(sizes, norm, hidden_size, random) {}

  Routing route(Tape& tape, const Tensor& /*scores*/, const RouterContext& context) override {
    const Tensor& rows = *context.rows;
    const Tensor first = first_.scores(tape, rows, context);
    const Tensor second = second_.scores(tape, rows, context);
    BestPairs best = find_best_pairs(tape, first, second, sizes_.per_head, sizes_.heads);
    const std::int64_t per_row = sizes_.heads * sizes_.per_head;
    Tensor weights = ops::softmax(tape, best.scores).reshaped({rows.rows(), per_row});
    if (!context.row_mask.empty()) {
      auto experts = std::make_shared<PooledVector<std::int32_t>>(*best.experts);
      for (std::int64_t slot = 0; slot < weights.numel(); ++slot) {
        if (context.row_mask[static_cast<std::size_t>(slot / per_row)] == 0) {
          (*experts)[static_cast<std::size_t>(slot)] = kNoExpert;
        }
      }
      best.experts = std::move(experts);
    }
    const auto assignment = group_assignment(*best.experts, weights.matrix(), sizes_.sub_keys);
    return {.assignment = assignment,
            .combine_weights = Tensor::from({assignment->num_assigned()}, assignment->combine_weights),
            .retrieval = Retrieval{best.experts, weights}};
  }

  std::vector<Parameter> parameters() const override {
    std::vector<Parameter> all;
    first_.append_parameters("first.", all);
    second_.append_parameters("second.", all);
    return all;
  }
  std::vector<Parameter> buffers() const override {
    std::vector<Parameter> all;
    first_.append_buffers("first.", all);
    second_.append_buffers("second.", all);
    return all;
  }

 private:
  PeerSizes sizes_;
  Half first_;
  Half second_;
};

PeerSizes checked_sizes(const RouterOptions& options) {
  const auto n = static_cast<std::int64_t>(std::llround(std::sqrt(static_cast<double>(options.num_experts))));
  if (n * n != options.num_experts) {
    fail("router.peer: num_experts={} is not a square; nearest: {}", options.num_experts, n * n);
  }
  const std::int64_t heads = options.router_extra.integer("peer_heads");
  if (options.num_experts_per_tok % heads != 0 || options.num_experts_per_tok / heads > options.num_experts) {
    fail(
        "router.peer: num_experts_per_tok={} counts the experts of all heads; expected a multiple of peer_heads={} of "
        "at most num_experts={} per head",
        options.num_experts_per_tok, heads, options.num_experts);
  }
  return {n, heads, options.num_experts_per_tok / heads, options.router_extra.integer("peer_key_size")};
}

}  // namespace

RouterEntry peer_router() {
  return {
      .name = "peer",
      .summary = "each row retrieves single neurons by product keys, of as many as fit in memory",
      .formula =
          "per head: S = the k / peer_heads largest <Q1 x, c_i> + <Q2 x, c'_j>, w = softmax over S; experts of "
          "one neuron: moe_intermediate_size 1, not gated",
      .paper = "He 2024 (PEER), algorithm 1; Lample et al. 2019",
      .causality = "safe; not with peer_query_norm batch",
      .inference_rule = "the same; with peer_query_norm batch the running statistics of training",
      .cost =
          "peer_key_size (4 D + 4 sqrt(E)) peer_heads per row; metrics show the sqrt(E) groups of experts that share a "
          "first sub-key",
      .kind = RouterKind::kRetrieval,
      .uses_gate = false,
      .options = {{.name = "peer_heads",
                   .value = std::int64_t{8},
                   .help =
                       "Queries per row of the router peer, each of which retrieves num_experts_per_tok / peer_heads "
                       "experts",
                   .minimum = 1,
                   .maximum = 1 << 10},
                  {.name = "peer_key_size",
                   .value = std::int64_t{64},
                   .help = "Width of a sub-key of the router peer",
                   .minimum = 1,
                   .maximum = 1 << 16},
                  {.name = "peer_query_norm",
                   .value = std::string("layer"),
                   .help = "Normalisation of the queries of the router peer",
                   .choices = {"none", "layer", "batch"}}},
      .causal_safe = [](const RouterOptions& options) { return parse_query_norm(options) != QueryNorm::kBatch; },
      .make = [](const RouterOptions& options, std::int64_t hidden_size, Random& random) -> std::unique_ptr<Router> {
        const PeerSizes sizes = checked_sizes(options);
        return std::make_unique<PeerRouter>(sizes, parse_query_norm(options), hidden_size, random);
      },
  };
}

}  // namespace witan
