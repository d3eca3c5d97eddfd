// What can be said of experts from their weights alone: norms, ranks and outliers of each matrix, and which experts are
// alike. Formulas in docs/inspecting.md.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "autograd/tensor.h"
#include "base/views.h"

namespace witan {

class Decoder;
class EncoderDecoder;

struct MatrixStatistics {
  double norm = 0.0;           // Frobenius
  double spectral_norm = 0.0;  // the largest singular value
  double stable_rank = 0.0;    // norm^2 / spectral_norm^2, from 1 to the rank (Rudelson & Vershynin 2007); 0 for zeros
  double kurtosis = 0.0;       // of the entries, over that of a normal distribution: m4 / m2^2 - 3; 0 for constants
  double largest = 0.0;        // entry, without its sign
};
MatrixStatistics matrix_statistics(ConstMatrix matrix);

// The experts of one layer. All matrices of a bank have one number of experts.
struct ExpertBank {
  struct Matrix {
    std::string name;  // gate_proj, up_proj, down_proj
    Tensor values;     // [E, F, D], of down_proj [E, D, F]
  };
  std::string stack;  // "decoder" or "encoder"
  std::int64_t layer = 0;
  std::vector<Matrix> matrices;
  Tensor router;  // [E, D] of a linear gate; undefined otherwise

  std::int64_t num_experts() const { return matrices.front().values.dim(0); }
};
// Of every layer with a mixture. None for experts of one neuron each.
std::vector<ExpertBank> expert_banks(const Decoder& model);
std::vector<ExpertBank> expert_banks(const EncoderDecoder& model);

// Of pairs of experts, [E * E], symmetric.
struct WeightSimilarity {
  // Of all matrices as one vector, entry by entry: close to 1 for experts that began as copies of one network.
  std::vector<double> cosine;
  // Of neurons, whatever their order: each neuron of one expert (its rows of gate_proj and up_proj and its column of
  // down_proj as one vector) meets the neuron of the other that is most like it; the mean of these cosines, both ways
  // (the semi-matching of Li et al. 2016, of weights). Empty where it would take too long.
  std::vector<double> matched;
  double matched_by_chance = 0.0;    // of F random directions, see docs/inspecting.md
  std::int64_t matched_neurons = 0;  // of each expert that looked for their like; 0: none
};
// `most_work`: floating-point operations that matching may take; with less than all need, fewer neurons look for their
// like, and below 16 of them none.
WeightSimilarity weight_similarity(const ExpertBank& bank, double most_work = 1e12);

struct WeightStatistics {
  std::string stack;
  std::int64_t layer = 0;
  std::vector<std::string> matrices;                  // names
  std::vector<std::vector<MatrixStatistics>> values;  // [matrix][expert]
  std::vector<double> router_norms;                   // [expert], of its row of the gate; empty without a linear one
  WeightSimilarity similarity;
};
// `on_layer` is called after each bank with how many are done; it may throw to stop.
std::vector<WeightStatistics> weight_statistics(const std::vector<ExpertBank>& banks,
                                                const std::function<void(std::int64_t done)>& on_layer = {});

}  // namespace witan
