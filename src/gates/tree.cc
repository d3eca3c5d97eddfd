// The tree gate: experts are leaves, each inner node chooses among its children, and a score is the log-probability of
// the path. A hierarchical mixture's gating, of any depth.
#include <algorithm>
#include <charconv>
#include <cmath>

#include "autograd/ops/linear.h"
#include "base/error.h"
#include "base/index.h"
#include "base/parallel.h"
#include "gates/table.h"

namespace witan {
namespace {

constexpr std::int64_t kTreeGrain = 64;  // rows that pay for another thread

// Without a text: two levels as even as the number of experts allows.
std::vector<std::int64_t> even_branching(std::int64_t num_experts) {
  auto first = static_cast<std::int64_t>(std::sqrt(static_cast<double>(num_experts)));
  while (num_experts % first != 0) --first;
  return {first, num_experts / first};
}

std::vector<std::int64_t> parse_branching(const std::string& text, std::int64_t num_experts) {
  if (text.empty()) return even_branching(num_experts);
  std::vector<std::int64_t> branching;
  std::int64_t leaves = 1;
  const char* at = text.data();
  const char* const end = at + text.size();
  for (;;) {
    std::int64_t children = 0;
    const auto [next, error] = std::from_chars(at, end, children);
    if (error != std::errc() || children < 1 || children > num_experts) {
      fail("gate.tree: tree_branching='{}', expected numbers of children from 1 to num_experts={}, such as 4x4", text,
           num_experts);
    }
    branching.push_back(children);
    leaves *= children;
    if (leaves > num_experts) break;
    if (next == end) break;
    if (*next != 'x') fail("gate.tree: tree_branching='{}' is not of the form 4x4", text);
    at = next + 1;
  }
  if (leaves != num_experts) {
    fail("gate.tree: tree_branching='{}' has {}{} leaves, expected num_experts={}", text,
         leaves > num_experts ? "at least " : "", leaves, num_experts);
  }
  return branching;
}

// y[j] = parents[j / children] + logits[j] - log of the sum of exp over the siblings of j: [T, n] from logits [T, n]
// and parents [T, n / children] (undefined: the root).
Tensor descend(Tape& tape, const Tensor& parents, const Tensor& logits, std::int64_t children) {
  Tensor y = tape.output(logits.shape(), {&parents, &logits});
  const std::int64_t nodes = logits.cols() / children;
  parallel_for(logits.rows(), kTreeGrain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin * nodes; i < end * nodes; ++i) {
      const std::span<const float> given(logits.data() + i * children, index(children));
      const float largest = *std::max_element(given.begin(), given.end());
      float sum = 0.0F;
      for (const float x : given) sum += std::exp(x - largest);
      const float shift = (parents.defined() ? parents.data()[i] : 0.0F) - largest - std::log(sum);
      for (std::int64_t j = 0; j < children; ++j) y.data()[i * children + j] = given[index(j)] + shift;
    }
  });
  tape.record(y, [y = y.detached(), dy = y.grad(), d_logits = logits.grad(), d_parents = parents.grad(),
                  parents = parents.detached(), nodes, children] {
    const std::span<float> logit_sums = d_logits.accumulator();
    const std::span<float> parent_sums = d_parents.wanted() ? d_parents.accumulator() : std::span<float>();
    const std::span<const float> given = dy.values();
    parallel_for(y.rows(), kTreeGrain, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin * nodes; i < end * nodes; ++i) {
        float sum = 0.0F;
        for (std::int64_t j = i * children; j < (i + 1) * children; ++j) sum += given[index(j)];
        const float parent = parents.defined() ? parents.data()[i] : 0.0F;
        for (std::int64_t j = i * children; j < (i + 1) * children; ++j) {
          logit_sums[index(j)] += given[index(j)] - std::exp(y.data()[j] - parent) * sum;
        }
        if (!parent_sums.empty()) parent_sums[index(i)] += sum;
      }
    });
  });
  return y;
}

class TreeGate final : public Gate {
 public:
  TreeGate(std::int64_t hidden_size, std::vector<std::int64_t> branching, double init_scale, Random& random)
      : branching_(std::move(branching)) {
    const double deviation = std::sqrt(init_scale / static_cast<double>(hidden_size));
    std::int64_t nodes = 1;
    for (const std::int64_t children : branching_) {
      nodes *= children;
      Tensor& weight = weights_.emplace_back(Tensor::uninitialized({nodes, hidden_size}));
      random.fill_truncated_normal(weight.values(), static_cast<float>(deviation));
      weight.set_requires_grad(true);
    }
  }

  Tensor scores(Tape& tape, const Tensor& rows) const override {
    Tensor paths;
    for (std::size_t level = 0; level < weights_.size(); ++level) {
      paths = descend(tape, paths, ops::linear(tape, rows, weights_[level]), branching_[level]);
    }
    return paths;
  }

  std::vector<Parameter> parameters() const override {
    std::vector<Parameter> all;
    for (std::size_t level = 0; level < weights_.size(); ++level) {
      const bool leaves = level + 1 == weights_.size();
      all.push_back({leaves ? "weight" : "level" + std::to_string(level) + ".weight", weights_[level]});
    }
    return all;
  }

 private:
  std::vector<std::int64_t> branching_;  // children of a node of each level, root first
  std::vector<Tensor> weights_;          // [nodes of the level below, D]
};

}  // namespace

GateEntry tree_gate() {
  return {
      .name = "tree",
      .summary = "log-probability of the expert's path down a tree, a softmax at every node",
      .formula = "h_e = sum over the levels l of log softmax(W_l x among siblings) at e's ancestor",
      .paper = "Jordan and Jacobs 1994, section 2; Shazeer et al. 2017, appendix B",
      .cost = "2 D (nodes of the tree)",
      .options = {{.name = "tree_branching",
                   .value = std::string(),
                   .help = "Children per node of each level of the tree gate, root first, such as 4x4; empty: two "
                           "levels as even as num_experts allows"}},
      .make = [](const GateOptions& options, std::int64_t hidden_size, std::int64_t num_experts,
                 Random& random) -> std::unique_ptr<Gate> {
        return std::make_unique<TreeGate>(hidden_size,
                                          parse_branching(options.gate_extra.text("tree_branching"), num_experts),
                                          options.router_init_scale, random);
      },
  };
}

}  // namespace witan
