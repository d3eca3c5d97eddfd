// What experts say of the rows of a text: how large their outputs are, whether the router picks the large ones, and
// which experts say alike. Formulas in docs/inspecting.md.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <vector>

#include "training/evaluation.h"

namespace witan {

// Of one routed expert, over the rows that it served.
struct ExpertOutputs {
  std::int64_t rows = 0;
  double norm = 0.0;           // Euclidean, of its output before it is weighed; mean over its rows, 0 without any
  double weight = 0.0;         // that the router gave it, mean over its rows
  double weighted_norm = 0.0;  // weight times norm, mean over its rows
  double largest = 0.0;        // entry of its outputs, without its sign
  std::int64_t channel = -1;   // of that entry
  std::int32_t token = -1;     // of the row with that entry
};

struct LayerOutputs {
  std::int64_t layer = 0;
  std::vector<ExpertOutputs> experts;

  // On a sample of the rows that every expert was asked about.
  std::int64_t sampled_rows = 0;
  std::vector<double> sampled_norm;  // [expert], mean over the sample
  // Spearman's, of the router's probabilities and the norms of all experts' outputs for a row; mean over the rows.
  // Nothing for a router without probabilities.
  std::optional<double> rank_correlation;
  // Share of the experts that served a row which are among as many experts with the largest outputs for it, and what
  // that would be by chance.
  double largest_chosen = 0.0;
  double chosen_by_chance = 0.0;
  std::vector<double> cosine;  // [E * E], of what two experts say of a row; mean over the sample
};

// What the experts of a layer say of the rows [T, D] that an assignment gives them, not weighed: [num_assigned, D].
using ExpertRun = std::function<Tensor(std::int64_t layer, const Tensor& rows, const Assignment& assignment)>;

// Gathers them while an evaluation runs: give observer() to evaluate(), then call finish(). Layers whose experts have
// no rows of their own (soft routing, single neurons) are left out. Memory does not grow with the text.
class OutputCensus {
 public:
  // Of the layers of one stack. `rows`: that each of them will see; of these about `sample` are asked of all experts,
  // evenly spread (0: none).
  OutputCensus(ExpertRun experts, std::int64_t rows, std::int64_t sample);
  // `model` must outlive this.
  OutputCensus(const Decoder& model, std::int64_t rows, std::int64_t sample);
  // Refers to this object.
  WindowObserver observer();
  std::vector<LayerOutputs> finish() const;

 private:
  struct Sums {
    LayerOutputs layer;  // sums where it will hold means
    std::int64_t rows = 0;
    double correlation = 0.0;
    std::int64_t correlated_rows = 0;
    double chosen = 0.0;  // of rows that anybody served
    double chosen_by_chance = 0.0;
    std::int64_t served_rows = 0;
  };
  void add(const WindowBatch& batch, std::int64_t layer, const Routing& routing, const Tensor& rows);
  void add_served(const WindowBatch& batch, const Assignment& assignment, const Tensor& outputs, Sums& sums) const;
  void add_sample(const std::vector<std::int32_t>& sampled, const Routing& routing, const Tensor& rows,
                  Sums& sums) const;

  ExpertRun experts_;
  std::int64_t rows_;
  std::int64_t sample_;
  std::map<std::int64_t, Sums> layers_;
};

}  // namespace witan
