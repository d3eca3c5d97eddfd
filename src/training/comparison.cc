// Candidates on equal terms.
#include "training/comparison.h"

#include <fmt/core.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <set>

#include "base/error.h"
#include "routers/table.h"

namespace witan {
namespace {

// As many active and total parameters with `per_row` experts per row: returns false when widths would not be whole.
bool keep_parameters(MoeOptions& moe, std::int64_t per_row) {
  const std::int64_t active_width = moe.moe_intermediate_size * moe.num_experts_per_tok;
  const std::int64_t total_width = moe.moe_intermediate_size * moe.num_experts;
  if (active_width % per_row != 0 || total_width % (active_width / per_row) != 0) return false;
  moe.moe_intermediate_size = active_width / per_row;
  moe.num_experts = total_width / moe.moe_intermediate_size;
  moe.num_experts_per_tok = per_row;
  return true;
}

// A gated expert of width F has 3 F D parameters, a neuron 2 D.
void make_neurons(MoeOptions& moe, std::string_view label) {
  const double matrices = moe.gated ? 3.0 : 2.0;
  const auto neurons = [&](std::int64_t experts) {
    return static_cast<double>(experts * moe.moe_intermediate_size) * matrices / 2.0;
  };
  const std::int64_t heads = moe.router_extra.integer("peer_heads");
  const std::int64_t per_row = std::llround(neurons(moe.num_experts_per_tok) / static_cast<double>(heads)) * heads;
  const auto side = static_cast<std::int64_t>(std::llround(std::sqrt(neurons(moe.num_experts))));
  if (per_row < heads || per_row / heads > side * side) {
    fail("compare: {}: {} active neurons are too few for peer_heads={}", label, neurons(moe.num_experts_per_tok),
         heads);
  }
  moe.num_experts = side * side;
  moe.num_experts_per_tok = per_row;
  moe.moe_intermediate_size = 1;
  moe.gated = false;
}

void equalize(MoeOptions& moe, const RouterEntry& entry, std::string_view label) {
  switch (entry.kind) {
    case RouterKind::kChoice:
      if (entry.fixed_experts_per_tok == 0 || keep_parameters(moe, entry.fixed_experts_per_tok)) return;
      fail(
          "compare: {}: num_experts={} of width moe_intermediate_size={}, {} per row, cannot become {} per row with as "
          "many parameters",
          label, moe.num_experts, moe.moe_intermediate_size, moe.num_experts_per_tok, entry.fixed_experts_per_tok);
    case RouterKind::kEveryExpert:
      moe.num_experts = moe.num_experts_per_tok;
      return;
    case RouterKind::kSoft:
      return;
    case RouterKind::kRetrieval:
      return make_neurons(moe, label);
  }
}

std::vector<std::string> split(std::string_view text, char separator) {
  std::vector<std::string> parts;
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t end = std::min(text.find(separator, begin), text.size());
    parts.emplace_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return parts;
}

std::string folder_name(std::string_view label, std::int64_t seed) {
  std::string name;
  for (const char c : label) {
    const bool plain = std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '.';
    name += plain ? c : '-';
  }
  return fmt::format("{}-seed{}", name, seed);
}

// With its default of one group, a router of groups is top_k: it stands here with four. A row's experts come from one
// of them, or, where each level chooses, two and two from two, of twice as many experts, half as wide. Queries made for
// large models would be most of the parameters of a small one.
std::string zoo_text(const RouterEntry& entry, const DecoderConfig& base) {
  if (entry.kind == RouterKind::kRetrieval) return entry.name + ":peer_heads=4,peer_key_size=16";
  const MoeOptions& moe = base.moe;
  if (moe.num_experts % 4 != 0 || moe.num_experts_per_tok > moe.num_experts / 4) return entry.name;
  if (entry.name == "group_limited") return entry.name + ":n_group=4,topk_group=1";
  if (entry.name != "hierarchical") return entry.name;
  return fmt::format(
      "hierarchical:n_group=4,topk_group=2,num_experts={},num_experts_per_tok={},moe_intermediate_size={}",
      2 * moe.num_experts, 2 * moe.num_experts_per_tok, std::max<std::int64_t>(1, moe.moe_intermediate_size / 2));
}

}  // namespace

Candidate make_candidate(const DecoderConfig& base, std::string_view text) {
  const std::size_t colon = std::min(text.find(':'), text.size());
  const RouterEntry& entry = find_router(text.substr(0, colon));
  Candidate candidate{std::string(text), base};
  MoeOptions& moe = candidate.model.moe;
  moe.router = entry.name;
  // With one expert per row a renormalised weight is constant, and the router would not learn.
  const std::int64_t k = entry.fixed_experts_per_tok > 0 ? entry.fixed_experts_per_tok : moe.num_experts_per_tok;
  if (k == 1) moe.weighting = "softmax_then_topk";
  equalize(moe, entry, text);
  const Fields fields = candidate.model.fields();
  if (colon < text.size()) {
    for (const std::string& setting : split(text.substr(colon + 1), ',')) {
      const std::size_t equals = setting.find('=');
      if (equals == std::string::npos) {
        fail("compare: {}: '{}' is not of the form field=value", text, setting);
      }
      try {
        fields.find(setting.substr(0, equals)).set(setting.substr(equals + 1));
      } catch (const Error& error) {
        fail("compare: {}: {}", text, error.what());
      }
    }
  }
  return candidate;
}

std::vector<std::string> zoo_candidates(const DecoderConfig& base) {
  std::vector<std::string> texts;
  for (const RouterEntry& entry : router_table()) {
    const std::string text = zoo_text(entry, base);
    if (entry.causal_safe(make_candidate(base, text).model.moe)) texts.push_back(text);
  }
  return texts;
}

std::vector<ComparisonRun> plan_comparison(const TrainSettings& base, std::span<const std::string> candidates,
                                           std::int64_t num_seeds) {
  if (candidates.empty()) fail("compare: no routers are named");
  if (base.budget.minutes > 0.0) {
    fail("compare: minutes={}: a budget of time is not the same compute for all; expected steps or tokens",
         base.budget.minutes);
  }
  if (const std::int64_t last = base.seed + num_seeds - 1; last > kMostSeed) {
    fail("compare: the last seed, {}, exceeds {}", last, kMostSeed);
  }
  std::vector<ComparisonRun> runs;
  std::set<std::string> folders;
  for (std::int64_t seed = base.seed; seed < base.seed + num_seeds; ++seed) {
    for (const std::string& text : candidates) {
      ComparisonRun run{text, seed, folder_name(text, seed), base};
      if (!folders.insert(run.folder).second) fail("compare: '{}' is named twice", text);
      run.settings.model = make_candidate(base.model, text).model;
      run.settings.seed = seed;
      try {
        run.settings.validate();
      } catch (const Error& error) {
        fail("compare: {}: {}", text, error.what());
      }
      runs.push_back(std::move(run));
    }
  }
  return runs;
}

}  // namespace witan
