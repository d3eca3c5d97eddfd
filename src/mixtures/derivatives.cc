// Rows are turned into weights of pairs of heads; the sums over rows are then weighted products of input columns.
#include "mixtures/derivatives.h"

#include <algorithm>
#include <array>
#include <vector>

#include "kernels/columns.h"

namespace witan::mixtures {
namespace {

// What stands for the second derivatives.
enum class Second { kNone, kHessian, kScores };

constexpr std::int64_t kPiece = 128;  // rows whose pair weights stay in the cache
// Rows between columns that are written row by row: a power of two would send all of a row to the same few cache lines.
constexpr Eigen::Index kColumnStride = kPiece + 8;
constexpr double kNoShare = 1e-20;  // of a row: what an expert with less adds is below rounding

// A head of either part, and where its coefficients stand among all parameters.
struct GlobalHead {
  const Part* part;
  const Rows* rows;
  Head head;
  Eigen::Index offset;
};

std::vector<GlobalHead> all_heads(const Model& model, const Data& data) {
  std::vector<GlobalHead> heads;
  for (const Head& head : model.gate().heads()) heads.push_back({&model.gate(), &data.gate_rows, head, head.offset});
  const Eigen::Index of_gate = model.gate().parameters().size();
  for (const Head& head : model.experts().heads()) {
    heads.push_back({&model.experts(), &data.expert_rows, head, of_gate + head.offset});
  }
  return heads;
}

// The heads of one expert's term of one part, as numbers among all heads.
struct ExpertTerm {
  const Part* part;
  const Rows* rows;
  std::vector<int> heads;
};

// Derivatives of one row in the values of all heads, the second ones packed: pairs a <= b, row by row.
class RowDerivatives {
 public:
  RowDerivatives(const Model& model, const Data& data, std::size_t heads) : heads_(heads) {
    const auto of_gate = static_cast<int>(model.gate().heads().size());
    for (int k = 0; k < model.num_experts(); ++k) {
      terms_.push_back({term(model.gate(), data.gate_rows, k, 0), term(model.experts(), data.expert_rows, k, of_gate)});
      std::vector<int> all;
      for (const ExpertTerm& t : terms_.back()) all.insert(all.end(), t.heads.begin(), t.heads.end());
      std::vector<std::size_t> pairs;
      for (const int a : all) {
        for (const int b : all) pairs.push_back(pair_of(std::min(a, b), std::max(a, b)));
      }
      all_heads_.push_back(std::move(all));
      pairs_.push_back(std::move(pairs));
    }
    gradient_.resize(static_cast<Eigen::Index>(heads));
    hessian_.resize(static_cast<Eigen::Index>(heads * (heads + 1) / 2));
    std::size_t most = 0;
    for (const std::vector<int>& all : all_heads_) most = std::max(most, all.size());
    values_.resize(most);
    local_gradient_.resize(most);
    local_hessian_.resize(most * most);
    targets_.resize(std::max(data.gate_rows.targets.size(), data.expert_rows.targets.size()));
  }

  // values [heads] of one row; posterior(k) by function. Fills gradient() and hessian().
  template <class Posterior>
  void compute(std::int64_t row, const double* values, const Posterior& posterior, Second second) {
    const bool with_hessian = second == Second::kHessian;
    gradient_.setZero();
    if (with_hessian) hessian_.setZero();
    for (std::size_t k = 0; k < terms_.size(); ++k) {
      const double h = posterior(k);
      if (h < kNoShare) continue;
      std::size_t first = 0;
      for (const ExpertTerm& t : terms_[k]) {
        add_term(t, k, first, row, values, h, with_hessian);
        first += t.heads.size();
      }
      const std::vector<int>& heads = all_heads_[k];
      const std::size_t m = heads.size();
      for (std::size_t a = 0; a < m; ++a) {
        const double weighted = h * local_gradient_[a];
        gradient_(heads[a]) += weighted;
        if (!with_hessian) continue;
        for (std::size_t b = a; b < m; ++b) add(pairs_[k][a * m + b], weighted * local_gradient_[b]);
      }
    }
    if (second == Second::kNone) return;
    if (second == Second::kScores) hessian_.setZero();
    const double sign = with_hessian ? -1.0 : 1.0;
    Eigen::Index pair = 0;
    const auto size = static_cast<Eigen::Index>(heads_);
    for (Eigen::Index a = 0; a < size; ++a) {
      hessian_.segment(pair, size - a) += sign * gradient_(a) * gradient_.tail(size - a);
      pair += size - a;
    }
  }

  const Eigen::VectorXd& gradient() const { return gradient_; }
  const Eigen::VectorXd& hessian() const { return hessian_; }

 private:
  static ExpertTerm term(const Part& part, const Rows& rows, int expert, int offset) {
    ExpertTerm result{&part, &rows, {}};
    for (const int head : part.heads_of(expert)) result.heads.push_back(offset + head);
    return result;
  }
  std::size_t pair_of(int a, int b) const {  // a <= b
    const auto first = static_cast<std::size_t>(a);
    return first * heads_ - first * (first + 1) / 2 + static_cast<std::size_t>(b);
  }
  void add(std::size_t pair, double value) { hessian_(static_cast<Eigen::Index>(pair)) += value; }

  // Adds a part's own second derivatives; its first ones go to local_gradient_ from `first` on.
  void add_term(const ExpertTerm& t, std::size_t expert, std::size_t first, std::int64_t row, const double* values,
                double h, bool with_hessian) {
    const std::size_t m = t.heads.size();
    if (m == 0) return;
    for (std::size_t i = 0; i < m; ++i) values_[i] = values[t.heads[i]];
    for (std::size_t d = 0; d < t.rows->targets.size(); ++d)
      targets_[d] = t.rows->targets[d] == nullptr ? 1.0 : t.rows->targets[d][row];
    t.part->derivatives(static_cast<int>(expert), values_.data(), targets_.data(), local_gradient_.data() + first,
                        local_hessian_.data());
    if (!with_hessian) return;
    const std::size_t all = all_heads_[expert].size();
    for (std::size_t a = 0; a < m; ++a) {
      for (std::size_t b = a; b < m; ++b)
        add(pairs_[expert][(first + a) * all + first + b], h * local_hessian_[a * m + b]);
    }
  }

  std::size_t heads_;
  std::vector<std::array<ExpertTerm, 2>> terms_;
  std::vector<std::vector<int>> all_heads_;      // of each expert: those of its gate, then its own
  std::vector<std::vector<std::size_t>> pairs_;  // of each expert's heads [m, m]: where they stand in hessian_
  Eigen::VectorXd gradient_;
  Eigen::VectorXd hessian_;
  std::vector<double> values_;
  std::vector<double> targets_;
  std::vector<double> local_gradient_;
  std::vector<double> local_hessian_;
};

Columns head_columns(const GlobalHead& head, std::int64_t begin) {
  return block_of(head.head.linear ? head.rows->inputs : Columns{nullptr}, begin);
}

// Adds the sums of one piece of rows to likelihood [1], gradient [P] and Hessian [P, P] behind `sums`.
void add_piece(const Model& model, const Data& data, const Router& router, const std::vector<GlobalHead>& heads,
               std::int64_t begin, std::int64_t count, Second second, Eigen::Index size, double* sums) {
  const bool with_hessian = second != Second::kNone;
  const auto num_heads = static_cast<Eigen::Index>(heads.size());
  Eigen::MatrixXd posterior(kBlockRows, model.num_experts());
  std::vector<double*> columns;
  for (Eigen::Index k = 0; k < posterior.cols(); ++k) columns.push_back(posterior.col(k).data());
  std::vector<double> log_sums(kBlockRows);
  model.log_joint(data, begin, count, columns);
  router.route(begin, count, columns, log_sums.data());

  Eigen::MatrixXd values(num_heads, count);  // a row's values side by side
  std::vector<double> linear(kBlockRows);
  for (Eigen::Index h = 0; h < num_heads; ++h) {
    const GlobalHead& head = heads[static_cast<std::size_t>(h)];
    kernels::linear_combination(head_columns(head, begin), head.part->parameters().data() + head.head.offset, count,
                                linear.data());
    values.row(h) = Eigen::Map<const Eigen::RowVectorXd>(linear.data(), count);
  }

  const Columns case_weights = block_of({data.weights}, begin);
  Eigen::MatrixXd gradients(kColumnStride, num_heads);
  const Eigen::Index pairs = with_hessian ? num_heads * (num_heads + 1) / 2 : 0;
  Eigen::MatrixXd curvatures(kColumnStride, pairs);
  RowDerivatives row(model, data, heads.size());
  for (std::int64_t i = 0; i < count; ++i) {
    const double c = case_weights[0][i];
    sums[0] += c * log_sums[static_cast<std::size_t>(i)];
    row.compute(
        begin + i, values.col(i).data(), [&](std::size_t k) { return columns[k][i]; }, second);
    gradients.row(i) = c * row.gradient().transpose();
    if (!with_hessian) continue;
    curvatures.row(i) = c * row.hessian().transpose();
  }

  double* gradient = sums + 1;
  Eigen::Map<Eigen::MatrixXd> hessian(sums + 1 + size, with_hessian ? size : 0, with_hessian ? size : 0);
  std::vector<double> products;
  Eigen::Index pair = 0;
  for (Eigen::Index a = 0; a < num_heads; ++a) {
    const GlobalHead& left = heads[static_cast<std::size_t>(a)];
    const Columns xa = head_columns(left, begin);
    kernels::weighted_products(xa, gradients.col(a).data(), block_of({nullptr}, 0), count, gradient + left.offset);
    for (Eigen::Index b = a; with_hessian && b < num_heads; ++b) {
      const GlobalHead& right = heads[static_cast<std::size_t>(b)];
      const Columns xb = head_columns(right, begin);
      products.assign(xa.size() * xb.size(), 0.0);
      kernels::weighted_products(xa, curvatures.col(pair++).data(), xb, count, products.data());
      for (std::size_t i = 0; i < xa.size(); ++i) {
        for (std::size_t j = 0; j < xb.size(); ++j) {
          hessian(left.offset + static_cast<Eigen::Index>(i), right.offset + static_cast<Eigen::Index>(j)) +=
              products[i * xb.size() + j];
        }
      }
    }
  }
}

Derivatives sum_rows(const Model& model, const Data& data, const Router& router, Second second) {
  const bool with_hessian = second != Second::kNone;
  const std::vector<GlobalHead> heads = all_heads(model, data);
  const Eigen::Index size = model.parameters().size();
  std::vector<double> sums(static_cast<std::size_t>(1 + size + (with_hessian ? size * size : 0)));
  sum_blocks(data.count(), static_cast<std::int64_t>(sums.size()), sums.data(),
             [&](std::int64_t begin, std::int64_t count, double* partial) {
               for (std::int64_t at = begin; at < begin + count; at += kPiece) {
                 add_piece(model, data, router, heads, at, std::min(kPiece, begin + count - at), second, size, partial);
               }
             });
  Derivatives result;
  result.log_likelihood = sums[0];
  result.gradient = Eigen::Map<const Eigen::VectorXd>(sums.data() + 1, size);
  if (with_hessian) {
    // Blocks of heads stand above the diagonal, whole on it.
    result.hessian =
        Eigen::Map<const Eigen::MatrixXd>(sums.data() + 1 + size, size, size).selfadjointView<Eigen::Upper>();
  }
  return result;
}

}  // namespace

Derivatives observed_derivatives(const Model& model, const Data& data, bool with_hessian) {
  const auto posterior = make_router("posterior", 0);
  return sum_rows(model, data, *posterior, with_hessian ? Second::kHessian : Second::kNone);
}

Derivatives score_products(const Model& model, const Data& data, const Router& router) {
  return sum_rows(model, data, router, Second::kScores);
}

}  // namespace witan::mixtures
