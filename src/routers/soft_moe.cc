// Soft MoE: experts do not serve rows but slots, each a mixture of all rows of a sequence, and each row gets a mixture
// of all slots. Nothing is chosen, so nothing is dropped and everything has a gradient; and every row sees every other.
#include <algorithm>
#include <cmath>
#include <limits>

#include "autograd/ops/batched_matmul.h"
#include "autograd/ops/elementwise.h"
#include "autograd/ops/linear.h"
#include "autograd/ops/norm.h"
#include "autograd/ops/softmax.h"
#include "base/error.h"
#include "base/index.h"
#include "base/parallel.h"
#include "routers/not_finite.h"
#include "routers/table.h"

namespace witan {
namespace {

// The softmax of each column of each sequence, over its rows that are not masked: x [B * L, S] -> the same shape, where
// the columns of a sequence sum to 1 and masked rows are 0 (all are when no row of the sequence counts).
Tensor softmax_over_rows(Tape& tape, const Tensor& x, std::int64_t sequence, std::span<const std::uint8_t> row_mask) {
  Tensor y = tape.output(x.shape(), {&x});
  const std::int64_t slots = x.cols();
  parallel_for(x.rows() / sequence, 1, [&](std::int64_t begin, std::int64_t end) {
    PooledVector<float> largest(index(slots));
    PooledVector<float> sums(index(slots));
    for (std::int64_t first = begin * sequence; first < end * sequence; first += sequence) {
      const auto for_counted = [&](const auto& visit) {
        for (std::int64_t t = first; t < first + sequence; ++t) {
          if (row_mask.empty() || row_mask[index(t)] != 0) visit(x.matrix().row(t), y.matrix().row(t));
        }
      };
      std::fill(largest.begin(), largest.end(), -std::numeric_limits<float>::infinity());
      std::fill(sums.begin(), sums.end(), 0.0F);
      std::fill_n(y.matrix().row(first), sequence * slots, 0.0F);
      for_counted([&](const float* in, float*) {
        for (std::size_t s = 0; s < sums.size(); ++s) largest[s] = std::max(largest[s], in[s]);
      });
      for_counted([&](const float* in, float* out) {
        for (std::size_t s = 0; s < sums.size(); ++s) sums[s] += out[s] = std::exp(in[s] - largest[s]);
      });
      for_counted([&](const float*, float* out) {
        for (std::size_t s = 0; s < sums.size(); ++s) out[s] /= sums[s];
      });
    }
  });
  tape.record(y, [y = y.detached(), dy = y.grad(), dx = x.grad(), sequence] {
    const std::span<float> sum = dx.accumulator();
    const std::int64_t width = y.cols();
    parallel_for(y.rows() / sequence, 1, [&](std::int64_t begin, std::int64_t end) {
      PooledVector<float> means(index(width));
      for (std::int64_t first = begin * sequence; first < end * sequence; first += sequence) {
        std::fill(means.begin(), means.end(), 0.0F);
        for (std::int64_t i = first * width; i < (first + sequence) * width; ++i) {
          means[index(i % width)] += y.data()[i] * dy.values()[index(i)];
        }
        for (std::int64_t i = first * width; i < (first + sequence) * width; ++i) {
          sum[index(i)] += y.data()[i] * (dy.values()[index(i)] - means[index(i % width)]);
        }
      }
    });
  });
  return y;
}

// Slot j of expert e of sequence b is row (b E + e) p + j; an expert serves its slots with weight 1.
std::shared_ptr<const Assignment> slot_assignment(std::int64_t sequences, std::int64_t num_experts,
                                                  std::int64_t slots_per_expert) {
  const auto assignment = std::allocate_shared<Assignment>(PoolAllocator<Assignment>());
  const std::int64_t slots = sequences * num_experts * slots_per_expert;
  assignment->num_rows = slots;
  assignment->num_experts = num_experts;
  for (std::int64_t expert = 0; expert < num_experts; ++expert) {
    assignment->expert_offsets.push_back(assignment->num_assigned());
    for (std::int64_t sequence = 0; sequence < sequences; ++sequence) {
      const std::int64_t first = (sequence * num_experts + expert) * slots_per_expert;
      for (std::int64_t j = 0; j < slots_per_expert; ++j) {
        assignment->row_indices.push_back(static_cast<std::int32_t>(first + j));
      }
    }
  }
  assignment->expert_offsets.push_back(slots);
  assignment->combine_weights.assign(index(slots), 1.0F);
  assignment->choice_ranks.assign(index(slots), 0);
  return assignment;
}

class SoftMoeRouter final : public Router {
 public:
  SoftMoeRouter(std::int64_t num_experts, std::int64_t slots_per_expert, std::int64_t hidden_size, Random& random)
      : num_experts_(num_experts),
        slots_per_expert_(slots_per_expert),
        slots_(Tensor::uninitialized({num_experts * slots_per_expert, hidden_size})),
        scale_(Tensor::full({1}, 1.0F)) {
    random.fill_normal(slots_.values(), 0.0F, 1.0F / std::sqrt(static_cast<float>(hidden_size)));
    slots_.set_requires_grad(true);
    scale_.set_requires_grad(true);
  }

  Routing route(Tape& tape, const Tensor& /*scores*/, const RouterContext& context) override {
    const Tensor& rows = *context.rows;
    const std::int64_t sequence = context.rows_per_sequence > 0 ? context.rows_per_sequence : rows.rows();
    if (rows.rows() == 0) {
      return {.assignment = slot_assignment(0, num_experts_, slots_per_expert_),
              .combine_weights = Tensor::zeros({0}),
              .expert_rows = Tensor::zeros({0, rows.cols()}),
              .spread = [](Tape&, const Tensor& outputs) { return outputs; }};
    }
    if (rows.rows() % sequence != 0) {
      fail("router.soft_moe: {} rows are not whole sequences of {}", rows.rows(), sequence);
    }
    const std::int64_t sequences = rows.rows() / sequence;
    const Tensor cosines = ops::linear(tape, ops::unit_norm(tape, rows), ops::unit_norm(tape, slots_));
    check(cosines);
    const Tensor logits = ops::scale_by(tape, cosines, scale_);
    const Tensor dispatch = softmax_over_rows(tape, logits, sequence, context.row_mask);
    Tensor combine = ops::softmax(tape, logits);
    if (!context.row_mask.empty()) {
      const PooledVector<float> counts(context.row_mask.begin(), context.row_mask.end());
      combine = ops::scale_rows(tape, combine, Tensor::from({rows.rows()}, counts));
    }
    const std::shared_ptr<const Assignment> assignment = slot_assignment(sequences, num_experts_, slots_per_expert_);
    return {.assignment = assignment,
            .combine_weights = Tensor::from({assignment->num_assigned()}, assignment->combine_weights),
            .expert_rows = ops::batched_matmul(tape, kernels::Op::kTransposed, dispatch, rows, sequences),
            .spread = [combine, sequences](Tape& later, const Tensor& outputs) {
              return ops::batched_matmul(later, kernels::Op::kPlain, combine, outputs, sequences);
            }};
  }

  std::vector<Parameter> parameters() const override { return {{"slots", slots_, false}, {"scale", scale_, false}}; }

 private:
  static void check(const Tensor& cosines) {
    for (std::int64_t t = 0; t < cosines.rows(); ++t) {
      if (!std::isfinite(cosines.matrix()(t, 0))) {
        throw ScoresNotFinite(
            fmt::format("router: the scores of row {} hold a NaN: the layers below have diverged", t));
      }
    }
  }

  std::int64_t num_experts_;
  std::int64_t slots_per_expert_;
  Tensor slots_;  // [E p, D], mu
  Tensor scale_;  // [1]
};

}  // namespace

RouterEntry soft_moe_router() {
  return {
      .name = "soft_moe",
      .summary = "experts serve slots that mix all rows of a sequence; each row gets a mixture of all slots",
      .formula =
          "L = s cos(x_t, mu_j); slot j = sum over t of softmax_t(L)_tj x_t; row t = sum over j of "
          "softmax_j(L)_tj f(slot j)",
      .paper = "Puigcerver et al. 2023, algorithm 1",
      .causality = "never safe: every row is in every slot",
      .inference_rule =
          "the same over the rows at hand: a prompt is mixed as a whole, a token generated after it is "
          "alone in all slots",
      .cost =
          "6 D E slots_per_expert per row, and slots_per_expert E / L experts (L rows per sequence); "
          "num_experts_per_tok is not read",
      .kind = RouterKind::kSoft,
      .uses_gate = false,
      .options = {{.name = "slots_per_expert",
                   .value = std::int64_t{1},
                   .help = "Slots of each expert per sequence, of the router soft_moe",
                   .minimum = 1,
                   .maximum = 1 << 16}},
      .causal_safe = [](const RouterOptions&) { return false; },
      .make = [](const RouterOptions& options, std::int64_t hidden_size, Random& random) -> std::unique_ptr<Router> {
        return std::make_unique<SoftMoeRouter>(options.num_experts, options.router_extra.integer("slots_per_expert"),
                                               hidden_size, random);
      },
  };
}

}  // namespace witan
