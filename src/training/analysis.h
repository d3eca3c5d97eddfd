// What the experts of a trained model do on held-out text: who serves which domain and which tokens. RUN/analysis.json,
// for the report and the terminal.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "models/decoder.h"
#include "text/tokenizer.h"
#include "training/evaluation.h"

namespace witan {

struct TokenAffinity {
  std::string token;       // as text, U+FFFD for bytes that are no whole character
  std::int64_t count = 0;  // rows of the expert that are this token
  double lift = 0.0;       // share of the expert's rows that are this token / share of all rows that are
};

struct LayerAnalysis {
  std::int64_t layer = 0;
  std::vector<std::vector<double>> load_by_domain;  // [domain][expert], rows sum to 1 (0 for a domain without text)
  std::vector<double> load;                         // [expert], sums to 1
  double entropy = 0.0;                             // of the router's probabilities, mean over rows, nats
  std::vector<double> entropy_by_domain;            // [domain], the same; 0 for a domain without text
  double dropped = 0.0;                             // share of the choices that found no room with their expert
  // [expert][expert], rows that both served; the diagonal holds the rows of each. Empty when experts serve no rows of
  // their own (soft routing).
  std::vector<std::vector<std::int64_t>> together;
  std::vector<std::vector<TokenAffinity>> top_tokens;  // [expert], the strongest first
};

// A continuation that the model wrote.
struct Sample {
  std::string domain;
  std::string prompt;
  std::string text;
};

struct Analysis {
  std::int64_t step = -1;  // after which the model was looked at; -1: not known
  std::vector<std::string> domains;
  std::vector<LayerAnalysis> layers;  // with a mixture
  std::vector<Sample> samples;        // filled by who can generate
};

// Counts routings while an evaluation runs: give observer() to evaluate(), then call finish().
class RoutingCensus {
 public:
  RoutingCensus(std::int64_t num_experts, std::int64_t num_domains, std::int64_t vocab_size);
  // Refers to this object.
  WindowObserver observer();
  // Tokens that an expert likes are ranked by count * log(lift), which favours neither the rare nor the common, and
  // have been met at least four times. `tokens_per_expert`: how many to keep.
  std::vector<LayerAnalysis> finish(const Tokenizer& tokenizer, std::size_t tokens_per_expert = 12) const;

 private:
  struct LayerCounts {
    std::vector<std::int64_t> by_domain;  // [domains * experts]
    std::vector<std::int32_t> by_token;   // [experts * vocabulary]
    std::vector<std::int64_t> together;   // [experts * experts]; the lower half is left to symmetry
    std::vector<double> entropy_sum;      // [domains]
    std::vector<std::int64_t> rows;       // [domains]
    std::int64_t served = 0;              // choices
    std::int64_t dropped = 0;             // the same
  };
  void add(const WindowBatch& batch, std::int64_t layer, const Routing& routing);
  std::vector<std::vector<TokenAffinity>> top_tokens(const LayerCounts& counts, const Tokenizer& tokenizer,
                                                     std::size_t limit) const;

  std::size_t num_experts_;
  std::size_t num_domains_;
  std::size_t vocab_size_;
  std::map<std::int64_t, LayerCounts> layers_;
};

// "de", or "<0xE3>" for bytes that are no text of their own; empty for a special token.
std::string readable_token(const Tokenizer& tokenizer, std::int32_t id);
// A layer as it stands in analysis.json: all but `together`, which grows with the square of the experts.
nlohmann::ordered_json layer_analysis_json(const LayerAnalysis& layer);
// analysis.json, whole or not at all.
void write_analysis(const std::filesystem::path& file, const Analysis& analysis);

}  // namespace witan
