// The assignment of the largest total score by linear programming, and its router. The only file that sees CLP.
#include "routers/linear_program.h"

#include <Clp_C_Interface.h>

#include <algorithm>
#include <memory>

#include "autograd/ops/softmax.h"
#include "base/error.h"
#include "base/index.h"
#include "kernels/select.h"
#include "routers/global_choice.h"
#include "routers/table.h"

namespace witan {
namespace {

// Variables of one program: the simplex method takes about a second for them.
constexpr std::int64_t kMostVariables = 1 << 16;

}  // namespace

ProgramSolution solve_assignment_program(ConstMatrix benefits, std::int64_t k, std::int64_t capacity) {
  const std::int64_t rows = benefits.rows;
  const std::int64_t experts = benefits.cols;
  WITAN_ASSERT(k >= 1 && k <= experts && experts * capacity >= k * rows && rows * experts <= kMostVariables);
  ProgramSolution solution{PooledVector<float>(index(rows * experts), 0.0F)};
  if (rows == 0) return solution;

  // Variable (t, e) stands in the constraint of its row, t, and in that of its expert, T + e.
  const auto variables = index(rows * experts);
  std::vector<CoinBigIndex> starts(variables + 1);
  std::vector<int> constraints(2 * variables);
  std::vector<double> costs(variables);
  for (std::int64_t t = 0; t < rows; ++t) {
    for (std::int64_t e = 0; e < experts; ++e) {
      const std::size_t variable = index(t * experts + e);
      starts[variable] = static_cast<CoinBigIndex>(2 * variable);
      constraints[2 * variable] = static_cast<int>(t);
      constraints[2 * variable + 1] = static_cast<int>(rows + e);
      costs[variable] = -static_cast<double>(benefits(t, e));  // CLP minimises
    }
  }
  starts[variables] = static_cast<CoinBigIndex>(2 * variables);
  const std::vector<double> ones(2 * variables, 1.0);
  const std::vector<double> zeros(variables, 0.0);
  std::vector<double> lower(index(rows + experts), static_cast<double>(k));
  std::vector<double> upper = lower;
  std::fill(lower.begin() + rows, lower.end(), 0.0);
  std::fill(upper.begin() + rows, upper.end(), static_cast<double>(capacity));

  const std::unique_ptr<Clp_Simplex, decltype(&Clp_deleteModel)> model(Clp_newModel(), Clp_deleteModel);
  Clp_setLogLevel(model.get(), 0);
  Clp_loadProblem(model.get(), static_cast<int>(variables), static_cast<int>(rows + experts), starts.data(),
                  constraints.data(), ones.data(), zeros.data(), ones.data(), costs.data(), lower.data(), upper.data());
  Clp_dual(model.get(), 0);
  WITAN_ASSERT(Clp_status(model.get()) == 0);  // feasible and bounded by construction
  const double* const values = Clp_primalColumnSolution(model.get());
  std::transform(values, values + variables, solution.shares.begin(),
                 [](double value) { return static_cast<float>(value); });
  solution.objective = -Clp_objectiveValue(model.get());
  return solution;
}

namespace {

class LinearProgramRouter final : public Router {
 public:
  explicit LinearProgramRouter(std::int64_t k) : k_(k) {}

  Routing route(Tape& tape, const Tensor& scores, const RouterContext& context) override {
    const Choices choices = context.training ? solved(scores, context) : choose_top_k(scores, k_, context.row_mask);
    const Tensor probabilities = ops::softmax(tape, scores);
    const Tensor weights = raw_weights(tape, scores, probabilities, choices);
    return route_choices(tape, choices, weights, probabilities, {});
  }

 private:
  Choices solved(const Tensor& scores, const RouterContext& context) const {
    if (scores.numel() > kMostVariables) {
      fail(
          "router.linear_program: {} rows times {} experts are {} variables, expected {} at the most: take fewer rows, "
          "or the routers base, sinkhorn or quantile",
          scores.rows(), scores.cols(), scores.numel(), kMostVariables);
    }
    const Benefits benefits = row_benefits(scores, context);
    const std::int64_t rows = benefits.values.rows();
    const ProgramSolution solution =
        solve_assignment_program(benefits.values.matrix(), k_, (k_ * rows + scores.cols() - 1) / scores.cols());
    PooledVector<std::int32_t> experts(index(rows * k_));
    kernels::top_k({solution.shares.data(), rows, scores.cols()}, k_, experts);
    return spread_choices(benefits, experts, scores.rows(), k_);
  }

  std::int64_t k_;
};

}  // namespace

RouterEntry linear_program_router() {
  return {
      .name = "linear_program",
      .summary = "in training the assignment of the largest total score under equal capacities, exactly",
      .formula =
          "max sum h x, 0 <= x <= 1, sum_e x = k, sum_t x <= ceil(k T / E); w = sigmoid(h_i) if k = 1, else "
          "softmax(h)_i",
      .paper = "the program behind Lewis et al. 2021, by the simplex method of CLP (Forrest and Hall)",
      .causality = "not safe: in training the rows of a batch compete for the experts",
      .inference_rule = "the k largest scores, dropless",
      .cost = "far above linear in T E, which may be 65536 at the most: a yardstick for the others",
      .causal_safe = [](const RouterOptions& /*options*/) { return false; },
      .make = [](const RouterOptions& options, std::int64_t /*hidden_size*/,
                 Random& /*random*/) -> std::unique_ptr<Router> {
        check_choices("linear_program", options, false);
        return std::make_unique<LinearProgramRouter>(options.num_experts_per_tok);
      },
  };
}

}  // namespace witan
