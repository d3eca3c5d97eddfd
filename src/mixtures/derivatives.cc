// Rows are turned into weights of pairs of heads; the sums over rows are then weighted products of input columns.
#include "mixtures/derivatives.h"

#include <algorithm>
#include <vector>

#include "kernels/columns.h"

namespace witan::mixtures {
namespace {

// What stands for the second derivatives.
enum class Second { kNone, kHessian, kScores };

constexpr std::int64_t kPiece = 128;  // rows whose pair weights stay in the cache

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

class RowDerivatives {
 public:
  RowDerivatives(const Model& model, const Data& data, std::size_t heads) : heads_(static_cast<Eigen::Index>(heads)) {
    const auto of_gate = static_cast<int>(model.gate().heads().size());
    for (int k = 0; k < model.num_experts(); ++k) {
      terms_.push_back({term(model.gate(), data.gate_rows, k, 0), term(model.experts(), data.expert_rows, k, of_gate)});
    }
    gradient_.resize(heads_);
    hessian_.resize(heads_, heads_);
  }

  // values [heads] of one row; posterior(k) by function. Fills gradient() and, in its upper triangle, hessian().
  template <class Posterior>
  void compute(std::int64_t row, const double* values, const Posterior& posterior, Second second) {
    const bool with_hessian = second == Second::kHessian;
    gradient_.setZero();
    if (with_hessian) hessian_.setZero();
    for (std::size_t k = 0; k < terms_.size(); ++k) {
      const double h = posterior(k);
      if (h == 0.0) continue;
      indices_.clear();
      local_gradient_.clear();
      for (const ExpertTerm& t : terms_[k]) add_term(t, static_cast<int>(k), row, values, h, with_hessian);
      for (std::size_t a = 0; a < indices_.size(); ++a) {
        gradient_(indices_[a]) += h * local_gradient_[a];
        if (!with_hessian) continue;
        for (std::size_t b = 0; b < indices_.size(); ++b) {
          if (indices_[a] <= indices_[b])
            hessian_(indices_[a], indices_[b]) += h * local_gradient_[a] * local_gradient_[b];
        }
      }
    }
    if (second == Second::kScores) hessian_ = gradient_ * gradient_.transpose();
    if (!with_hessian) return;
    for (Eigen::Index a = 0; a < heads_; ++a) {
      for (Eigen::Index b = a; b < heads_; ++b) hessian_(a, b) -= gradient_(a) * gradient_(b);
    }
  }

  const Eigen::VectorXd& gradient() const { return gradient_; }
  const Eigen::MatrixXd& hessian() const { return hessian_; }

 private:
  static ExpertTerm term(const Part& part, const Rows& rows, int expert, int offset) {
    ExpertTerm result{&part, &rows, {}};
    for (const int head : part.heads_of(expert)) result.heads.push_back(offset + head);
    return result;
  }

  void add_term(const ExpertTerm& t, int expert, std::int64_t row, const double* values, double h, bool with_hessian) {
    const std::size_t m = t.heads.size();
    if (m == 0) return;
    values_.resize(m);
    gradient_of_term_.resize(m);
    hessian_of_term_.resize(m * m);
    targets_.clear();
    for (const Column column : t.rows->targets) targets_.push_back(column == nullptr ? 1.0 : column[row]);
    for (std::size_t i = 0; i < m; ++i) values_[i] = values[t.heads[i]];
    t.part->derivatives(expert, values_.data(), targets_.data(), gradient_of_term_.data(), hessian_of_term_.data());
    for (std::size_t a = 0; a < m; ++a) {
      indices_.push_back(t.heads[a]);
      local_gradient_.push_back(gradient_of_term_[a]);
      if (!with_hessian) continue;
      for (std::size_t b = 0; b < m; ++b) {
        if (t.heads[a] <= t.heads[b]) hessian_(t.heads[a], t.heads[b]) += h * hessian_of_term_[a * m + b];
      }
    }
  }

  Eigen::Index heads_;
  std::vector<std::vector<ExpertTerm>> terms_;
  Eigen::VectorXd gradient_;
  Eigen::MatrixXd hessian_;
  std::vector<double> values_;
  std::vector<double> targets_;
  std::vector<double> gradient_of_term_;
  std::vector<double> hessian_of_term_;
  std::vector<int> indices_;
  std::vector<double> local_gradient_;
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
  Eigen::MatrixXd gradients(count, num_heads);
  const Eigen::Index pairs = with_hessian ? num_heads * (num_heads + 1) / 2 : 0;
  Eigen::MatrixXd curvatures(count, pairs);
  RowDerivatives row(model, data, heads.size());
  for (std::int64_t i = 0; i < count; ++i) {
    const double c = case_weights[0][i];
    sums[0] += c * log_sums[static_cast<std::size_t>(i)];
    row.compute(
        begin + i, values.col(i).data(), [&](std::size_t k) { return columns[k][i]; }, second);
    gradients.row(i) = c * row.gradient().transpose();
    if (!with_hessian) continue;
    Eigen::Index pair = 0;
    for (Eigen::Index a = 0; a < num_heads; ++a) {
      for (Eigen::Index b = a; b < num_heads; ++b) curvatures(i, pair++) = c * row.hessian()(a, b);
    }
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
