// Expert by expert.
#include "inspection/weight_statistics.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>

#include "base/parallel.h"
#include "inspection/spectral_norm.h"
#include "models/decoder.h"
#include "models/encoder_decoder.h"
#include "routers/table.h"

namespace witan {
namespace {

ConstMatrix matrix_of(const Tensor& bank, std::int64_t expert) {
  const std::int64_t rows = bank.dim(1);
  const std::int64_t cols = bank.dim(2);
  return {bank.data() + expert * rows * cols, rows, cols};
}

// "model.layers.3.mlp.experts.up_proj" with "model.layers.3.mlp.experts." -> "up_proj"; biases are no matrices.
void take_matrices(const std::vector<Parameter>& parameters, const std::string& prefix, ExpertBank& bank) {
  for (const Parameter& parameter : parameters) {
    if (!parameter.name.starts_with(prefix) || parameter.value.shape().rank() != 3) continue;
    bank.matrices.push_back({parameter.name.substr(prefix.size()), parameter.value});
  }
}

WeightStatistics statistics_of(const ExpertBank& bank) {
  WeightStatistics result;
  result.stack = bank.stack;
  result.layer = bank.layer;
  const std::int64_t experts = bank.num_experts();
  for (const ExpertBank::Matrix& matrix : bank.matrices) {
    result.matrices.push_back(matrix.name);
    std::vector<MatrixStatistics>& values = result.values.emplace_back(static_cast<std::size_t>(experts));
    parallel_for(experts, 1, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t e = begin; e < end; ++e) {
        values[static_cast<std::size_t>(e)] = matrix_statistics(matrix_of(matrix.values, e));
      }
    });
  }
  for (std::int64_t e = 0; bank.router.defined() && e < experts; ++e) {
    double sum = 0.0;
    for (std::int64_t c = 0; c < bank.router.cols(); ++c) {
      const double value = bank.router.matrix()(e, c);
      sum += value * value;
    }
    result.router_norms.push_back(std::sqrt(sum));
  }
  result.similarity = weight_similarity(bank);
  return result;
}

}  // namespace

MatrixStatistics matrix_statistics(ConstMatrix matrix) {
  MatrixStatistics result;
  const auto count = static_cast<double>(matrix.size());
  if (matrix.size() == 0) return result;
  double sum = 0.0;
  double squares = 0.0;
  for (std::int64_t r = 0; r < matrix.rows; ++r) {
    for (std::int64_t c = 0; c < matrix.cols; ++c) {
      const double value = matrix(r, c);
      sum += value;
      squares += value * value;
      result.largest = std::max(result.largest, std::abs(value));
    }
  }
  const double mean = sum / count;
  double second = 0.0;
  double fourth = 0.0;
  for (std::int64_t r = 0; r < matrix.rows; ++r) {
    for (std::int64_t c = 0; c < matrix.cols; ++c) {
      const double squared = (matrix(r, c) - mean) * (matrix(r, c) - mean);
      second += squared;
      fourth += squared * squared;
    }
  }
  result.norm = std::sqrt(squares);
  result.spectral_norm = spectral_norm(matrix);
  if (result.spectral_norm > 0.0) result.stable_rank = squares / (result.spectral_norm * result.spectral_norm);
  if (second > 0.0) result.kurtosis = fourth * count / (second * second) - 3.0;
  return result;
}

std::vector<ExpertBank> expert_banks(const Decoder& model) {
  std::vector<ExpertBank> banks;
  const DecoderConfig& config = model.config();
  if (find_router(config.moe.router).kind == RouterKind::kRetrieval) return banks;
  const std::vector<Parameter> parameters = model.parameters();
  for (std::int64_t layer = 0; layer < config.num_hidden_layers; ++layer) {
    if (!config.is_moe_layer(layer)) continue;
    ExpertBank& bank = banks.emplace_back();
    bank.stack = "decoder";
    bank.layer = layer;
    take_matrices(parameters, fmt::format("model.layers.{}.mlp.experts.", layer), bank);
    const std::string gate = fmt::format("model.layers.{}.mlp.gate.weight", layer);
    const auto found = std::ranges::find(parameters, gate, &Parameter::name);
    if (found != parameters.end() && found->value.shape() == Shape{bank.num_experts(), config.hidden_size}) {
      bank.router = found->value;
    }
  }
  return banks;
}

std::vector<ExpertBank> expert_banks(const EncoderDecoder& model) {
  std::vector<ExpertBank> banks;
  for (const EncoderDecoder::Mixture& mixture : model.mixtures()) {
    ExpertBank& bank = banks.emplace_back();
    bank.stack = mixture.encoder ? "encoder" : "decoder";
    bank.layer = mixture.layer;
    take_matrices(mixture.block.experts(), "", bank);
    bank.router = mixture.block.router();
  }
  return banks;
}

std::vector<WeightStatistics> weight_statistics(const std::vector<ExpertBank>& banks,
                                                const std::function<void(std::int64_t done)>& on_layer) {
  std::vector<WeightStatistics> result;
  for (const ExpertBank& bank : banks) {
    result.push_back(statistics_of(bank));
    if (on_layer) on_layer(static_cast<std::int64_t>(result.size()));
  }
  return result;
}

}  // namespace witan
