// What a comparison of routers trains: the same model, text, budget and seeds for each candidate, with as many active
// parameters. Not the training, which is a run like any other, and not what came of it, which report/comparison.h
// reads.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "training/settings.h"

namespace witan {

// "switch", or with fields of the model "top_k:weighting=scaled,gate=cosine". The text is its name everywhere.
struct Candidate {
  std::string label;
  DecoderConfig model;
};

// `base` with the candidate's router. Where the router fixes how many experts serve a row, their width and number
// change so that active and total parameters stay as they are: a router of one expert per row gets half as many
// experts, twice as wide, where the base has two. A mixture of all experts keeps as many as serve a row; single neurons
// are as many as the experts had in all. Fields of the text come last. Throws Error naming the candidate for what does
// not fit.
Candidate make_candidate(const DecoderConfig& base, std::string_view text);

// Every router of the table that a causal decoder may use, each with a field that differs where that is the point of
// it.
std::vector<std::string> zoo_candidates(const DecoderConfig& base);

struct ComparisonRun {
  std::string label;
  std::int64_t seed = 0;
  std::string folder;  // below the comparison's: "top_k-weighting-scaled-seed0"
  TrainSettings settings;
};

// Candidates times seeds base.seed, base.seed + 1 ...; all candidates of a seed before the next seed, so that an
// interrupted comparison compares. Throws Error for no candidates, twice the same one, or a budget in minutes, which is
// not the same compute for all.
std::vector<ComparisonRun> plan_comparison(const TrainSettings& base, std::span<const std::string> candidates,
                                           std::int64_t num_seeds);

}  // namespace witan
