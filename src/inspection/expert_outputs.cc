// The experts run once more on the rows that they served, and all of them on a sample.
#include "inspection/expert_outputs.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "dispatch/row_experts.h"
#include "inspection/rank_correlation.h"
#include "kernels/gemm.h"
#include "layers/moe_layer.h"

namespace witan {
namespace {

constexpr std::int64_t kMostFloats = std::int64_t{1} << 23;  // of outputs that are held at a time: 32 MB

double norm_of(const float* values, std::int64_t size) {
  double sum = 0.0;
  for (std::int64_t i = 0; i < size; ++i) sum += static_cast<double>(values[i]) * static_cast<double>(values[i]);
  return std::sqrt(sum);
}

// Every row to every expert.
Assignment to_all(std::int64_t rows, std::int64_t experts) {
  Assignment assignment;
  assignment.num_rows = rows;
  assignment.num_experts = experts;
  const auto entries = static_cast<std::size_t>(rows * experts);
  assignment.row_indices.resize(entries);
  assignment.combine_weights.resize(entries);
  assignment.choice_ranks.resize(entries);
  for (std::int64_t e = 0; e < experts; ++e) {
    assignment.expert_offsets.push_back(e * rows);
    for (std::int64_t r = 0; r < rows; ++r) {
      const auto entry = static_cast<std::size_t>(e * rows + r);
      assignment.row_indices[entry] = static_cast<std::int32_t>(r);
      assignment.combine_weights[entry] = 1.0F;
      assignment.choice_ranks[entry] = static_cast<std::int32_t>(e);
    }
  }
  assignment.expert_offsets.push_back(rows * experts);
  return assignment;
}

Tensor selected(const Tensor& rows, std::span<const std::int32_t> wanted) {
  Tensor result = Tensor::uninitialized({static_cast<std::int64_t>(wanted.size()), rows.cols()});
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    std::copy_n(rows.matrix().row(wanted[i]), rows.cols(), result.matrix().row(static_cast<std::int64_t>(i)));
  }
  return result;
}

// How many of the experts are among as many with the largest norms; ties go to the lowest index.
std::int64_t among_largest(const std::vector<std::int32_t>& experts, const std::vector<double>& norms) {
  std::vector<std::int32_t> order(norms.size());
  std::iota(order.begin(), order.end(), 0);
  std::ranges::stable_sort(order, std::ranges::greater(),
                           [&](std::int32_t e) { return norms[static_cast<std::size_t>(e)]; });
  order.resize(experts.size());
  return std::ranges::count_if(experts, [&](std::int32_t e) { return std::ranges::find(order, e) != order.end(); });
}

// Adds the cosines of what experts say of one row: outputs of expert e in row e * stride + first.
void add_cosines(const Tensor& outputs, std::int64_t first, std::int64_t stride, const std::vector<double>& norms,
                 std::vector<double>& cosine) {
  const auto experts = static_cast<std::int64_t>(norms.size());
  const ConstMatrix said(outputs.matrix().row(first), experts, outputs.cols(), stride * outputs.cols());
  std::vector<float> products(norms.size() * norms.size());
  kernels::gemm(kernels::Op::kPlain, kernels::Op::kTransposed, said, said, 0.0F,
                Matrix(products.data(), experts, experts));
  for (std::size_t a = 0; a < norms.size(); ++a) {
    for (std::size_t b = 0; b < norms.size(); ++b) {
      const std::size_t at = a * norms.size() + b;
      const double both = norms[a] * norms[b];
      if (both > 0.0) cosine[at] += a == b ? 1.0 : static_cast<double>(products[at]) / both;
    }
  }
}

void divide(double& sum, std::int64_t count) { sum = count > 0 ? sum / static_cast<double>(count) : 0.0; }

}  // namespace

OutputCensus::OutputCensus(ExpertRun experts, std::int64_t rows, std::int64_t sample)
    : experts_(std::move(experts)), rows_(rows), sample_(std::min(sample, rows)) {}

OutputCensus::OutputCensus(const Decoder& model, std::int64_t rows, std::int64_t sample)
    : OutputCensus(
          [&model](std::int64_t layer, const Tensor& input, const Assignment& assignment) {
            Tape off;
            return model.mixture(layer)->expert_outputs(off, input, assignment);
          },
          rows, sample) {}

WindowObserver OutputCensus::observer() {
  return [this](const WindowBatch& batch, std::int64_t layer, const Routing& routing, const Tensor& rows) {
    add(batch, layer, routing, rows);
  };
}

void OutputCensus::add(const WindowBatch& batch, std::int64_t layer, const Routing& routing, const Tensor& rows) {
  if (routing.expert_rows.defined() || routing.retrieval) return;
  const Assignment& assignment = *routing.assignment;
  Sums& sums = layers_[layer];
  sums.layer.layer = layer;
  sums.layer.experts.resize(static_cast<std::size_t>(assignment.num_experts));
  if (assignment.num_assigned() > 0) add_served(batch, assignment, experts_(layer, rows, assignment), sums);

  // Row r of all is of the sample where r * sample / rows steps up.
  std::vector<std::int32_t> sampled;
  for (std::int64_t r = 0; r < rows.rows(); ++r) {
    const std::int64_t of_all = sums.rows + r;
    if (of_all * sample_ / rows_ != (of_all + 1) * sample_ / rows_) sampled.push_back(static_cast<std::int32_t>(r));
  }
  sums.rows += rows.rows();
  if (!sampled.empty()) add_sample(sampled, routing, rows, sums);
}

void OutputCensus::add_served(const WindowBatch& batch, const Assignment& assignment, const Tensor& outputs,
                              Sums& sums) const {
  for (std::int64_t e = 0; e < assignment.num_experts; ++e) {
    ExpertOutputs& expert = sums.layer.experts[static_cast<std::size_t>(e)];
    std::int64_t entry = assignment.expert_offsets[static_cast<std::size_t>(e)];
    for (const std::int32_t row : assignment.rows_of(e)) {
      const float* said = outputs.matrix().row(entry);
      const double norm = norm_of(said, outputs.cols());
      const double weight = assignment.combine_weights[static_cast<std::size_t>(entry)];
      expert.rows += 1;
      expert.norm += norm;
      expert.weight += weight;
      expert.weighted_norm += weight * norm;
      for (std::int64_t c = 0; c < outputs.cols(); ++c) {
        const auto size = static_cast<double>(std::abs(said[c]));
        if (size <= expert.largest) continue;
        expert.largest = size;
        expert.channel = c;
        expert.token = batch.inputs[static_cast<std::size_t>(row)];
      }
      ++entry;
    }
  }
}

void OutputCensus::add_sample(const std::vector<std::int32_t>& sampled, const Routing& routing, const Tensor& rows,
                              Sums& sums) const {
  const std::int64_t experts = routing.assignment->num_experts;
  const auto num_experts = static_cast<std::size_t>(experts);
  sums.layer.sampled_norm.resize(num_experts);
  sums.layer.cosine.resize(num_experts * num_experts);
  const std::vector<RowExperts> served = experts_by_row(*routing.assignment);
  const auto stretch = static_cast<std::size_t>(std::max<std::int64_t>(1, kMostFloats / (experts * rows.cols())));
  for (std::size_t first = 0; first < sampled.size(); first += stretch) {
    const auto wanted = std::span(sampled).subspan(first, std::min(stretch, sampled.size() - first));
    const auto count = static_cast<std::int64_t>(wanted.size());
    const Assignment assignment = to_all(count, experts);
    const Tensor outputs = experts_(sums.layer.layer, selected(rows, wanted), assignment);
    for (std::int64_t r = 0; r < count; ++r) {
      const std::int32_t row = wanted[static_cast<std::size_t>(r)];
      std::vector<double> norms(num_experts);
      for (std::size_t e = 0; e < num_experts; ++e) {
        norms[e] = norm_of(outputs.matrix().row(static_cast<std::int64_t>(e) * count + r), outputs.cols());
        sums.layer.sampled_norm[e] += norms[e];
      }
      add_cosines(outputs, r, count, norms, sums.layer.cosine);
      sums.layer.sampled_rows += 1;
      const std::vector<std::int32_t>& chosen = served[static_cast<std::size_t>(row)].experts;
      if (!chosen.empty()) {
        const auto choices = static_cast<double>(chosen.size());
        sums.chosen += static_cast<double>(among_largest(chosen, norms)) / choices;
        sums.chosen_by_chance += choices / static_cast<double>(experts);
        sums.served_rows += 1;
      }
      if (!routing.probabilities.defined()) continue;
      const float* probabilities = routing.probabilities.matrix().row(row);
      const std::vector<double> asked(probabilities, probabilities + experts);
      if (const std::optional<double> correlation = rank_correlation(asked, norms)) {
        sums.correlation += *correlation;
        sums.correlated_rows += 1;
      }
    }
  }
}

std::vector<LayerOutputs> OutputCensus::finish() const {
  std::vector<LayerOutputs> result;
  for (const auto& [index, sums] : layers_) {
    LayerOutputs layer = sums.layer;
    for (ExpertOutputs& expert : layer.experts) {
      divide(expert.norm, expert.rows);
      divide(expert.weight, expert.rows);
      divide(expert.weighted_norm, expert.rows);
    }
    for (double& norm : layer.sampled_norm) divide(norm, layer.sampled_rows);
    for (double& cosine : layer.cosine) divide(cosine, layer.sampled_rows);
    layer.largest_chosen = sums.chosen;
    layer.chosen_by_chance = sums.chosen_by_chance;
    divide(layer.largest_chosen, sums.served_rows);
    divide(layer.chosen_by_chance, sums.served_rows);
    if (sums.correlated_rows > 0) {
      layer.rank_correlation = sums.correlation / static_cast<double>(sums.correlated_rows);
    }
    result.push_back(std::move(layer));
  }
  return result;
}

}  // namespace witan
