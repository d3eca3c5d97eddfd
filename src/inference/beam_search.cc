// Scores and candidates in double; the order of candidates is total, so that the same numbers give the same outputs.
#include "inference/beam_search.h"

#include <algorithm>
#include <cmath>
#include <tuple>
#include <utility>

#include "base/error.h"

namespace witan {
namespace {

struct Candidate {
  double score;
  std::size_t beam;
  std::int32_t id;

  bool operator<(const Candidate& other) const {  // the better one first
    return std::tuple(-score, beam, id) < std::tuple(-other.score, other.beam, other.id);
  }
};

// The best `count` continuations, in order. Those of probability 0 are none.
std::vector<Candidate> best_continuations(const std::vector<BeamSearch::Beam>& beams, ConstMatrix log_probabilities,
                                          std::size_t count) {
  std::vector<Candidate> heap;  // its front is the worst
  for (std::size_t beam = 0; beam < beams.size(); ++beam) {
    const float* const row = log_probabilities.row(static_cast<std::int64_t>(beam));
    for (std::int64_t id = 0; id < log_probabilities.cols; ++id) {
      const Candidate candidate{beams[beam].score + static_cast<double>(row[id]), beam, static_cast<std::int32_t>(id)};
      if (!std::isfinite(candidate.score) || (heap.size() == count && !(candidate < heap.front()))) continue;
      if (heap.size() == count) {
        std::pop_heap(heap.begin(), heap.end());
        heap.pop_back();
      }
      heap.push_back(candidate);
      std::push_heap(heap.begin(), heap.end());
    }
  }
  std::sort_heap(heap.begin(), heap.end());
  return heap;
}

}  // namespace

BeamSearch::BeamSearch(const BeamOptions& options, std::function<bool(std::int32_t)> ends, std::int64_t longest,
                       std::int64_t given)
    : options_(options), ends_(std::move(ends)), longest_(longest), given_(given) {
  if (options.beams < 1) fail("beam search: beams={} is below 1", options.beams);
  WITAN_ASSERT(longest >= 1 && given >= 0);
}

double BeamSearch::final_score(double sum, std::int64_t tokens) const {
  return sum / std::pow(static_cast<double>(tokens + given_), options_.length_penalty);
}

bool BeamSearch::done() const {
  if (live_.empty() || steps_ == longest_) return true;
  if (static_cast<std::int64_t>(finished_.size()) < options_.beams) return false;
  if (options_.early_stopping == EarlyStopping::kYes) return true;
  const bool may_grow = options_.early_stopping == EarlyStopping::kNever && options_.length_penalty > 0.0;
  return final_score(live_.front().score, may_grow ? longest_ : steps_) <= finished_.back().score;
}

void BeamSearch::finish(Beam beam, std::int64_t tokens) {
  beam.score = final_score(beam.score, tokens);
  const auto place =
      std::find_if(finished_.begin(), finished_.end(), [&](const Beam& other) { return other.score < beam.score; });
  finished_.insert(place, std::move(beam));
  if (static_cast<std::int64_t>(finished_.size()) > options_.beams) finished_.pop_back();
}

void BeamSearch::advance(ConstMatrix log_probabilities) {
  WITAN_ASSERT(!done() && log_probabilities.rows == static_cast<std::int64_t>(live_.size()));
  const auto beams = static_cast<std::size_t>(options_.beams);
  // Even when every beam has an end among its likeliest tokens, enough others are left.
  const std::vector<Candidate> candidates = best_continuations(live_, log_probabilities, (1 + beams) * beams);
  ++steps_;
  std::vector<Beam> next;
  for (std::size_t rank = 0; rank < candidates.size() && next.size() < beams; ++rank) {
    const Candidate& candidate = candidates[rank];
    Beam beam{live_[candidate.beam].ids, candidate.score, candidate.beam, ends_(candidate.id)};
    if (beam.ended) {
      if (rank < beams) finish(std::move(beam), steps_);
      continue;
    }
    beam.ids.push_back(candidate.id);
    next.push_back(std::move(beam));
  }
  live_ = std::move(next);
  if (steps_ < longest_) return;
  for (Beam& beam : live_) finish(std::move(beam), steps_);
  live_.clear();
}

BeamSearch::Beam BeamSearch::best() const {
  if (!finished_.empty()) return finished_.front();
  return live_.empty() ? Beam{} : live_.front();
}

}  // namespace witan
