// Hash layers: the expert of a row is looked up in a fixed table. Nothing is learned.
#include <algorithm>

#include "base/error.h"
#include "base/index.h"
#include "routers/hash_tables.h"
#include "routers/table.h"
#include "routers/token_choice.h"

namespace witan {
namespace {

// What a row is looked up by, and how the table is filled.
enum class Variant { kRandom, kBalanced, kPosition, kPrevious, kClustered };

Variant parse_variant(std::string_view name) {
  if (name == "random") return Variant::kRandom;
  if (name == "balanced") return Variant::kBalanced;
  if (name == "position") return Variant::kPosition;
  if (name == "previous") return Variant::kPrevious;
  WITAN_ASSERT(name == "clustered");
  return Variant::kClustered;
}

std::int64_t table_length(Variant variant, const RouterOptions& options) {
  const bool by_position = variant == Variant::kPosition;
  const std::int64_t known = by_position ? options.max_positions : options.vocab_size;
  if (known < 1) {
    fail("router.hash: hash_variant '{}' needs to know the model's {}, which is 0 here",
         options.router_extra.text("hash_variant"), by_position ? "max_positions" : "vocab_size");
  }
  return variant == Variant::kPrevious ? known + 1 : known;  // the last entry: no token before
}

class HashRouter final : public Router {
 public:
  HashRouter(const RouterOptions& options, const Random& random)
      : variant_(parse_variant(options.router_extra.text("hash_variant"))),
        num_experts_(options.num_experts),
        tables_(Tensor::uninitialized({options.num_experts_per_tok, table_length(variant_, options)})),
        random_(random),
        dropping_(options, capacity_factors(options, kDropless)) {
    const std::vector<std::int64_t> alike(index(tables_.cols()), 1);
    fill_tables([&](std::int64_t buckets) {
      return variant_ == Variant::kBalanced ? balanced_buckets(alike, buckets, random_)
                                            : random_buckets(tables_.cols(), buckets, random_);
    });
  }

  Routing route(Tape& tape, const Tensor& /*scores*/, const RouterContext& context) override {
    WITAN_ASSERT(context.rows != nullptr);
    const std::int64_t rows = context.rows->rows();
    if (variant_ != Variant::kPosition && static_cast<std::int64_t>(context.token_ids.size()) != rows) {
      fail("router.hash: {} token ids for {} rows, expected one per row: its tables are indexed by token",
           context.token_ids.size(), rows);
    }
    Choices choices{rows, num_experts_, tables_.rows(), {}};
    choices.experts.resize(index(choices.num_slots()));
    for (std::int64_t row = 0; row < rows; ++row) {
      const auto slots = choices.experts.begin() + row * tables_.rows();
      if (context.masked(row)) {
        std::fill_n(slots, tables_.rows(), kNoExpert);
        continue;
      }
      const std::int64_t entry = key(context, row);
      for (std::int64_t n = 0; n < tables_.rows(); ++n)
        slots[n] = static_cast<std::int32_t>(tables_.matrix()(n, entry));
    }
    const Tensor weights = Tensor::full({rows, tables_.rows()}, 1.0F);
    return route_choices(tape, choices, weights, {}, dropping_.rule(choices, context));
  }

  void prepare(const VocabularyInfo& vocabulary) override {
    if (variant_ == Variant::kBalanced) {
      WITAN_ASSERT(static_cast<std::int64_t>(vocabulary.token_counts.size()) == tables_.cols());
      fill_tables([&](std::int64_t buckets) { return balanced_buckets(vocabulary.token_counts, buckets, random_); });
    } else if (variant_ == Variant::kClustered) {
      WITAN_ASSERT(vocabulary.embedding != nullptr && vocabulary.embedding->rows() == tables_.cols());
      fill_tables([&](std::int64_t buckets) { return clustered_buckets(*vocabulary.embedding, buckets, random_); });
    }
  }

  std::vector<Parameter> buffers() const override { return {{"tables", tables_, false}}; }

 private:
  // Table n chooses among the n-th part of the experts, [n E / N, (n + 1) E / N).
  template <class Fill>
  void fill_tables(const Fill& fill) {
    const std::int64_t tables = tables_.rows();
    for (std::int64_t n = 0; n < tables; ++n) {
      const std::int64_t begin = n * num_experts_ / tables;
      const std::vector<std::int32_t> buckets = fill((n + 1) * num_experts_ / tables - begin);
      std::ranges::transform(buckets, tables_.matrix().row(n),
                             [&](std::int32_t bucket) { return static_cast<float>(begin + bucket); });
    }
  }

  std::int64_t key(const RouterContext& context, std::int64_t row) const {
    if (variant_ == Variant::kPosition) return context.position(row) % tables_.cols();
    if (variant_ != Variant::kPrevious) return checked(context.token_ids[index(row)], tables_.cols());
    const std::int64_t none = tables_.cols() - 1;
    if (row > 0 && context.position(row) > 0) return checked(context.token_ids[index(row - 1)], none);
    return row == 0 && context.token_before >= 0 ? checked(context.token_before, none) : none;
  }

  static std::int64_t checked(std::int64_t id, std::int64_t vocab_size) {
    if (id < 0 || id >= vocab_size) fail("router.hash: token id {} is not in [0, {})", id, vocab_size);
    return id;
  }

  Variant variant_;
  std::int64_t num_experts_;
  Tensor tables_;  // [experts per row, keys], expert numbers: whole numbers below 2^24 are exact in f32
  Random random_;
  Dropping dropping_;
};

}  // namespace

RouterEntry hash_router() {
  return {
      .name = "hash",
      .summary = "fixed tables send each token to its experts; k tables each choose a slice of the network (MultiHash)",
      .formula = "S = {table_n[key]}, n < k, table n into the n-th part of the experts; w = 1; key: hash_variant",
      .paper = "Roller et al. 2021",
      .causality = "safe; not with a capacity and a drop_policy that serves later rows first",
      .inference_rule = "the same; dropless unless eval_capacity_factor is set",
      .cost = "k per row",
      .uses_gate = false,
      .options = {{.name = "hash_variant",
                   .value = std::string("balanced"),
                   .help = "Key and filling of the hash tables: token ids at random, balanced by frequency, or by "
                           "k-means of the first embeddings; positions; previous token ids",
                   .choices = {"random", "balanced", "position", "previous", "clustered"}}},
      .causal_safe = [](const RouterOptions& options) { return drops_causally(options, kDropless); },
      .make = [](const RouterOptions& options, std::int64_t /*hidden_size*/,
                 Random& random) -> std::unique_ptr<Router> {
        check_choices("hash", options, false);
        return std::make_unique<HashRouter>(options, random);
      },
  };
}

}  // namespace witan
