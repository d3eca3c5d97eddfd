// Counting who served what.
#include "training/analysis.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <numeric>

#include "base/error.h"
#include "base/file.h"
#include "dispatch/row_experts.h"

namespace witan {
namespace {

constexpr std::int64_t kFewestMeetings = 4;  // of a token and an expert, below which a lift says nothing

std::vector<double> shares(const std::int64_t* counts, std::size_t size) {
  const auto total = static_cast<double>(std::accumulate(counts, counts + size, std::int64_t{0}));
  std::vector<double> result(size, 0.0);
  if (total > 0.0) {
    std::transform(counts, counts + size, result.begin(),
                   [&](std::int64_t count) { return static_cast<double>(count) / total; });
  }
  return result;
}

double entropy_of(std::span<const float> probabilities) {
  double sum = 0.0;
  for (const float p : probabilities) {
    if (p > 0.0F) sum -= static_cast<double>(p) * std::log(static_cast<double>(p));
  }
  return sum;
}

// Adds to the upper half, diagonal included: [experts * experts].
void count_together(const Assignment& assignment, std::vector<std::int64_t>& together) {
  const auto experts = static_cast<std::size_t>(assignment.num_experts);
  for (const RowExperts& row : experts_by_row(assignment)) {
    for (const std::int32_t a : row.experts) {
      for (const std::int32_t b : row.experts) {
        if (a <= b) ++together[static_cast<std::size_t>(a) * experts + static_cast<std::size_t>(b)];
      }
    }
  }
}

double mean_of(double sum, std::int64_t rows) { return rows > 0 ? sum / static_cast<double>(rows) : 0.0; }

}  // namespace

nlohmann::ordered_json layer_analysis_json(const LayerAnalysis& layer) {
  nlohmann::ordered_json tokens = nlohmann::ordered_json::array();
  for (const std::vector<TokenAffinity>& expert : layer.top_tokens) {
    nlohmann::ordered_json list = nlohmann::ordered_json::array();
    for (const TokenAffinity& token : expert) {
      list.push_back({{"token", token.token}, {"count", token.count}, {"lift", token.lift}});
    }
    tokens.push_back(std::move(list));
  }
  return {{"layer", layer.layer},     {"experts", layer.load.size()},   {"load_by_domain", layer.load_by_domain},
          {"load", layer.load},       {"entropy", layer.entropy},       {"entropy_by_domain", layer.entropy_by_domain},
          {"dropped", layer.dropped}, {"top_tokens", std::move(tokens)}};
}

std::string readable_token(const Tokenizer& tokenizer, std::int32_t id) {
  const std::string bytes = tokenizer.token_bytes(id);
  StreamDecoder decoder;
  std::string text = decoder.push(bytes) + decoder.finish();
  if (bytes.size() == 1 && text != bytes) {
    constexpr char kDigits[] = "0123456789ABCDEF";
    const auto byte = static_cast<unsigned char>(bytes.front());
    return std::string("<0x") + kDigits[byte >> 4] + kDigits[byte & 15] + ">";
  }
  return text;
}

RoutingCensus::RoutingCensus(std::int64_t num_experts, std::int64_t num_domains, std::int64_t vocab_size)
    : num_experts_(static_cast<std::size_t>(num_experts)),
      num_domains_(static_cast<std::size_t>(num_domains)),
      vocab_size_(static_cast<std::size_t>(vocab_size)) {}

WindowObserver RoutingCensus::observer() {
  return [this](const WindowBatch& batch, std::int64_t layer, const Routing& routing, const Tensor& /*rows*/) {
    add(batch, layer, routing);
  };
}

void RoutingCensus::add(const WindowBatch& batch, std::int64_t layer, const Routing& routing) {
  LayerCounts& counts = layers_[layer];
  counts.by_domain.resize(num_domains_ * num_experts_);
  counts.by_token.resize(num_experts_ * vocab_size_);
  counts.entropy_sum.resize(num_domains_);
  counts.rows.resize(num_domains_);
  const Assignment& assignment = *routing.assignment;
  WITAN_ASSERT(static_cast<std::size_t>(assignment.num_experts) == num_experts_);
  // Experts of soft routing see mixtures of rows: no row is theirs.
  for (std::size_t expert = 0; expert < num_experts_ && !routing.expert_rows.defined(); ++expert) {
    for (const std::int32_t row : assignment.rows_of(static_cast<std::int64_t>(expert))) {
      const auto r = static_cast<std::size_t>(row);
      counts.by_domain[batch.domains[r] * num_experts_ + expert] += 1;
      counts.by_token[expert * vocab_size_ + static_cast<std::size_t>(batch.inputs[r])] += 1;
    }
  }
  counts.served += assignment.num_assigned();
  counts.dropped += assignment.num_dropped();
  if (!routing.expert_rows.defined()) {
    counts.together.resize(num_experts_ * num_experts_);
    count_together(assignment, counts.together);
  }
  for (std::size_t row = 0; row < batch.domains.size(); ++row) {
    const std::uint16_t domain = batch.domains[row];
    counts.rows[domain] += 1;
    if (!routing.probabilities.defined()) continue;
    const Matrix probabilities = routing.probabilities.matrix();
    counts.entropy_sum[domain] +=
        entropy_of({probabilities.row(static_cast<std::int64_t>(row)), static_cast<std::size_t>(probabilities.cols)});
  }
}

std::vector<std::vector<TokenAffinity>> RoutingCensus::top_tokens(const LayerCounts& counts, const Tokenizer& tokenizer,
                                                                  std::size_t limit) const {
  std::vector<double> token_total(vocab_size_, 0.0);
  std::vector<double> expert_total(num_experts_, 0.0);
  for (std::size_t e = 0; e < num_experts_; ++e) {
    for (std::size_t t = 0; t < vocab_size_; ++t) {
      const double count = counts.by_token[e * vocab_size_ + t];
      token_total[t] += count;
      expert_total[e] += count;
    }
  }
  const double total = std::accumulate(expert_total.begin(), expert_total.end(), 0.0);
  struct Candidate {
    double score;
    std::size_t token;
    double lift;
  };
  std::vector<std::vector<TokenAffinity>> result(num_experts_);
  for (std::size_t e = 0; e < num_experts_; ++e) {
    std::vector<Candidate> candidates;
    for (std::size_t t = 0; t < vocab_size_; ++t) {
      const double count = counts.by_token[e * vocab_size_ + t];
      if (count < kFewestMeetings) continue;
      const double lift = (count / expert_total[e]) / (token_total[t] / total);
      if (lift > 1.0) candidates.push_back({count * std::log(lift), t, lift});
    }
    std::ranges::stable_sort(candidates, std::ranges::greater(), &Candidate::score);
    if (candidates.size() > limit) candidates.resize(limit);
    for (const Candidate& candidate : candidates) {
      result[e].push_back({readable_token(tokenizer, static_cast<std::int32_t>(candidate.token)),
                           counts.by_token[e * vocab_size_ + candidate.token], candidate.lift});
    }
  }
  return result;
}

std::vector<LayerAnalysis> RoutingCensus::finish(const Tokenizer& tokenizer, std::size_t tokens_per_expert) const {
  std::vector<LayerAnalysis> result;
  for (const auto& [layer, counts] : layers_) {
    LayerAnalysis analysis;
    analysis.layer = layer;
    std::vector<std::int64_t> load(num_experts_, 0);
    for (std::size_t d = 0; d < num_domains_; ++d) {
      const std::int64_t* row = counts.by_domain.data() + d * num_experts_;
      analysis.load_by_domain.push_back(shares(row, num_experts_));
      for (std::size_t e = 0; e < num_experts_; ++e) load[e] += row[e];
    }
    analysis.load = shares(load.data(), num_experts_);
    analysis.entropy = mean_of(std::accumulate(counts.entropy_sum.begin(), counts.entropy_sum.end(), 0.0),
                               std::accumulate(counts.rows.begin(), counts.rows.end(), std::int64_t{0}));
    for (std::size_t d = 0; d < num_domains_; ++d) {
      analysis.entropy_by_domain.push_back(mean_of(counts.entropy_sum[d], counts.rows[d]));
    }
    analysis.dropped = mean_of(static_cast<double>(counts.dropped), counts.served + counts.dropped);
    for (std::size_t a = 0; a < num_experts_ && !counts.together.empty(); ++a) {
      std::vector<std::int64_t>& row = analysis.together.emplace_back(num_experts_);
      for (std::size_t b = 0; b < num_experts_; ++b) {
        row[b] = counts.together[std::min(a, b) * num_experts_ + std::max(a, b)];
      }
    }
    analysis.top_tokens = top_tokens(counts, tokenizer, tokens_per_expert);
    result.push_back(std::move(analysis));
  }
  return result;
}

void write_analysis(const std::filesystem::path& file, const Analysis& analysis) {
  nlohmann::ordered_json object;
  if (analysis.step >= 0) object["step"] = analysis.step;
  object["domains"] = analysis.domains;
  nlohmann::ordered_json& layers = object["layers"] = nlohmann::ordered_json::array();
  for (const LayerAnalysis& layer : analysis.layers) layers.push_back(layer_analysis_json(layer));
  nlohmann::ordered_json& samples = object["samples"] = nlohmann::ordered_json::array();
  for (const Sample& sample : analysis.samples) {
    samples.push_back({{"domain", sample.domain}, {"prompt", sample.prompt}, {"text", sample.text}});
  }
  write_file(file, object.dump() + "\n");
}

}  // namespace witan
