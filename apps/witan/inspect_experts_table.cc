// What experts are and do, layer by layer.
#include <fmt/core.h>

#include <algorithm>
#include <limits>
#include <numeric>
#include <span>

#include "inspection/inspection.h"
#include "witan/inspect_table.h"
#include "witan/terminal_text.h"
#include "witan/training_display.h"

namespace witan::cli {
namespace {

constexpr std::size_t kMostColumns = 32;  // experts of a table that has a column for each
constexpr std::size_t kShownTokens = 6;

struct Extent {
  double low = std::numeric_limits<double>::infinity();
  double high = -std::numeric_limits<double>::infinity();
  double sum = 0.0;
  std::int64_t count = 0;

  void add(double value) {
    low = std::min(low, value);
    high = std::max(high, value);
    sum += value;
    ++count;
  }
  double mean() const { return count > 0 ? sum / static_cast<double>(count) : 0.0; }
};

// Of two different experts each.
Extent over_pairs(std::span<const double> values, std::size_t experts) {
  Extent extent;
  for (std::size_t a = 0; a < experts; ++a) {
    for (std::size_t b = 0; b < experts && !values.empty(); ++b) {
      if (a != b) extent.add(values[a * experts + b]);
    }
  }
  return extent;
}

bool several_stacks(const TextInspection& text) {
  return std::ranges::any_of(text.layers,
                             [&](const LayerInspection& one) { return one.stack != text.layers.front().stack; });
}

// "3", or with two stacks "encoder 3".
std::string layer_name(const TextInspection& text, const std::string& stack, std::int64_t layer) {
  return several_stacks(text) ? fmt::format("{} {}", stack, layer) : fmt::format("{}", layer);
}

// The same within a sentence: "layer 3", or "encoder 3".
std::string layer_words(const TextInspection& text, const std::string& stack, std::int64_t layer) {
  return fmt::format("{} {}", several_stacks(text) ? stack : "layer", layer);
}

std::string routing_table(const TextInspection& text) {
  std::string table =
      fmt::format("\n{:<11} {:>8} {:>8} {:>5} {:>10} {:>9} {:>10} {:>8} {:>9} {:>16}\n", "layer", "entropy", "busiest",
                  "idle", "norm", "rank", "largest", "by", "alike", "most together");
  table += fmt::format("{:<11} {:>8} {:>8} {:>5} {:>10} {:>9} {:>10} {:>8} {:>9} {:>16}\n", "", "nats", "x mean", "",
                       "min..max", "corr.", "chosen", "chance", "(cosine)", "");
  for (const LayerInspection& one : text.layers) {
    const LayerAnalysis& layer = one.routing;
    const std::size_t experts = layer.load.size();
    const LayerOutputs* outputs = one.outputs ? &*one.outputs : nullptr;
    const LayerOutputs* sample = outputs != nullptr && outputs->sampled_rows > 0 ? outputs : nullptr;
    Extent norms;
    for (std::size_t e = 0; outputs != nullptr && e < experts; ++e) {
      if (outputs->experts[e].rows > 0) norms.add(outputs->experts[e].norm);
    }
    double share = -1.0;
    std::string pair = "-";
    for (std::size_t a = 0; a < layer.together.size(); ++a) {
      for (std::size_t b = 0; b < layer.together.size() && layer.together[a][a] > 0; ++b) {
        const double both = static_cast<double>(layer.together[a][b]) / static_cast<double>(layer.together[a][a]);
        if (a == b || both <= share) continue;
        share = both;
        pair = fmt::format("{} with {}: {:.0f} %", a, b, 100.0 * both);
      }
    }
    table += fmt::format(
        "{:<11} {:>8.3f} {:>8.2f} {:>5} {:>10} {:>9} {:>10} {:>8} {:>9} {:>16}\n",
        layer_name(text, one.stack, layer.layer), layer.entropy,
        layer.load.empty() ? 0.0 : *std::ranges::max_element(layer.load) * static_cast<double>(experts),
        std::ranges::count(layer.load, 0.0),
        norms.count > 0 ? fmt::format("{:.2g}..{:.2g}", norms.low, norms.high) : "-",
        sample != nullptr && sample->rank_correlation ? fmt::format("{:.2f}", *sample->rank_correlation) : "-",
        sample != nullptr ? fmt::format("{:.0f} %", 100.0 * sample->largest_chosen) : "-",
        sample != nullptr ? fmt::format("{:.0f} %", 100.0 * sample->chosen_by_chance) : "-",
        sample != nullptr && experts > 1 ? fmt::format("{:.2f}", over_pairs(sample->cosine, experts).mean()) : "-",
        share > 0.0 ? pair : "-");
  }
  table +=
      "rank corr.: of the router's probabilities and the norms of all experts' outputs, per token; largest chosen: "
      "share of\nthe chosen experts that are among as many with the largest outputs; alike: mean cosine of what two "
      "experts say of a token\n";
  std::string dropped;
  for (const LayerInspection& one : text.layers) {
    if (one.routing.dropped == 0.0) continue;
    dropped += fmt::format("{}{} {:.1f} %", dropped.empty() ? "" : ", ",
                           layer_words(text, one.stack, one.routing.layer), 100.0 * one.routing.dropped);
  }
  return dropped.empty() ? table : table + "choices that found no room with their expert: " + dropped + "\n";
}

std::string domain_table(const LayerAnalysis& layer, const std::string& name, const std::vector<std::string>& domains) {
  std::string table = fmt::format("\n{}, whose experts tell the domains apart best\n", name);
  if (layer.load.size() <= kMostColumns) return table + expert_table(layer, domains);
  constexpr std::size_t kBusiest = 5;
  for (std::size_t d = 0; d < domains.size(); ++d) {
    const std::vector<double>& shares = layer.load_by_domain[d];
    std::vector<std::size_t> order(shares.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::ranges::stable_sort(order, std::ranges::greater(), [&](std::size_t e) { return shares[e]; });
    table += fmt::format("{:<16}", on_one_line(domains[d]));
    for (std::size_t i = 0; i < kBusiest; ++i) {
      table += fmt::format("  expert {} {:.1f} %", order[i], 100.0 * shares[order[i]]);
    }
    table += '\n';
  }
  return table;
}

std::string token_table(const LayerAnalysis& layer, const std::string& name) {
  std::string table = fmt::format("\nmost typical tokens of each expert in {}\n", name);
  for (std::size_t e = 0; e < layer.top_tokens.size(); ++e) {
    std::string tokens;
    for (std::size_t i = 0; i < std::min(kShownTokens, layer.top_tokens[e].size()); ++i) {
      const TokenAffinity& token = layer.top_tokens[e][i];
      std::string shown;
      for (const char c : visible_controls(token.token))
        shown += c == '\n' ? "\\n" : c == '\t' ? "\\t" : std::string(1, c);
      tokens += fmt::format("  '{}' {:.1f}x", shown, token.lift);
    }
    table += fmt::format("{:>4}{}\n", e, tokens.empty() ? "  -" : tokens);
  }
  return table;
}

std::string super_experts_table(const SuperExperts& rule, const TextInspection& text, const Tokenizer& tokenizer) {
  if (rule.experts == 0) return "";
  std::string table = fmt::format(
      "\nsuper experts: largest entry of their outputs above {:.3g} (99.5 % of {} experts) and {:.3g} (a tenth of the "
      "largest); median {:.3g}\n",
      rule.quantile, rule.experts, rule.tenth, rule.median);
  for (const SuperExpert& found : rule.found) {
    const auto layer = std::ranges::find_if(text.layers, [&](const LayerInspection& one) {
      return one.stack == found.stack && one.routing.layer == found.layer;
    });
    const ExpertOutputs& expert = layer->outputs->experts[static_cast<std::size_t>(found.expert)];
    table += fmt::format("  {}, expert {}: {:.3g}, {:.1f} times the median, in channel {} for '{}'\n",
                         layer_words(text, found.stack, found.layer), found.expert, found.largest,
                         rule.median > 0.0 ? found.largest / rule.median : 0.0, expert.channel,
                         visible_controls(readable_token(tokenizer, expert.token)));
  }
  return table + (rule.found.empty() ? "  none\n" : "");
}

}  // namespace

std::string weights_table(const std::vector<WeightStatistics>& weights) {
  if (weights.empty()) return "";
  std::string table = fmt::format("\n{:<12} {:>10} {:>16} {:>14} {:>14} {:>16} {:>9}\n", "weights of", "matrix", "norm",
                                  "stable rank", "kurtosis", "cosine of two", "matched");
  table += fmt::format("{:<12} {:>10} {:>16} {:>14} {:>14} {:>16} {:>9}\n", "", "", "min..max", "min..max", "min..max",
                       "mean (max)", "(chance)");
  for (const WeightStatistics& layer : weights) {
    const std::size_t experts = layer.values.front().size();
    const Extent cosine = over_pairs(layer.similarity.cosine, experts);
    const Extent matched = over_pairs(layer.similarity.matched, experts);
    for (std::size_t m = 0; m < layer.matrices.size(); ++m) {
      Extent norm;
      Extent rank;
      Extent kurtosis;
      for (const MatrixStatistics& one : layer.values[m]) {
        norm.add(one.norm);
        rank.add(one.stable_rank);
        kurtosis.add(one.kurtosis);
      }
      const bool first = m == 0;
      table += fmt::format("{:<12} {:>10} {:>16} {:>14} {:>14} {:>16} {:>9}\n",
                           first ? fmt::format("{} {}", layer.stack, layer.layer) : "", layer.matrices[m],
                           fmt::format("{:.3g}..{:.3g}", norm.low, norm.high),
                           fmt::format("{:.3g}..{:.3g}", rank.low, rank.high),
                           fmt::format("{:.2g}..{:.2g}", kurtosis.low, kurtosis.high),
                           first && cosine.count > 0 ? fmt::format("{:.3f} ({:.3f})", cosine.mean(), cosine.high) : "",
                           first && matched.count > 0
                               ? fmt::format("{:.2f} ({:.2f})", matched.mean(), layer.similarity.matched_by_chance)
                               : "");
    }
  }
  return table;
}

std::string text_table(const TextInspection& text, const Tokenizer& tokenizer) {
  std::string table = text.reading.empty() ? "\n" : fmt::format("\n{}\n", visible_controls(text.reading));
  table += evaluation_table(text.evaluation, text.domains);
  if (text.layers.empty()) return table + "\nno layer has a mixture of experts\n";
  table += routing_table(text);
  const LayerInspection& layer = *std::ranges::max_element(
      text.layers, {}, [](const LayerInspection& one) { return mutual_information(one.routing); });
  const std::string name = layer_words(text, layer.stack, layer.routing.layer);
  table += domain_table(layer.routing, name, text.domains) + token_table(layer.routing, name);
  return table + super_experts_table(text.super_experts, text, tokenizer);
}

}  // namespace witan::cli
