// Beam search: the outputs of largest probability among those that a few of the likeliest beginnings lead to. Keeps the
// books; who calls it runs the model.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "base/views.h"

namespace witan {

// When enough outputs are finished, as Hugging Face's "early_stopping" says it.
enum class EarlyStopping {
  kNo,     // false: once the likeliest beginning, ended here, would score no better than the worst of the kept outputs
  kYes,    // true: once as many outputs as beams are finished
  kNever,  // "never": as kNo, but a beginning may still grow to the longest output, if length is rewarded
};

struct BeamOptions {
  std::int64_t beams = 1;
  // An output scores the sum of its log-probabilities divided by length^length_penalty; above 0 longer ones gain.
  double length_penalty = 1.0;
  EarlyStopping early_stopping = EarlyStopping::kNo;
};

class BeamSearch {
 public:
  struct Beam {
    std::vector<std::int32_t> ids;  // chosen so far
    double score = 0.0;             // sum of log-probabilities; of a finished output divided as length_penalty says
    std::size_t parent = 0;         // which of the live beams before the last step this one continues
    bool ended = false;             // by an end token, which `ids` do not have
  };

  // `ends`: whether a token ends an output. At most `longest` >= 1 tokens, the end token among them; `given` of the
  // length that scores are divided by stand before them. Throws Error for less than one beam.
  BeamSearch(const BeamOptions& options, std::function<bool(std::int32_t)> ends, std::int64_t longest,
             std::int64_t given);

  // Beginnings to go on from, the likeliest first; one empty one at first.
  const std::vector<Beam>& live() const { return live_; }
  bool done() const;
  // log_probabilities [live().size(), V] of the next token of each live beam. Of the (1 + beams) * beams best
  // continuations those that end count as outputs if they are among the first `beams`; the first `beams` of the others
  // live on. Ties go to the likelier beam, then to the lower id. Only until done().
  void advance(ConstMatrix log_probabilities);
  // The output of the largest score; of what is alive when nothing is finished.
  Beam best() const;

 private:
  double final_score(double sum, std::int64_t tokens) const;
  void finish(Beam beam, std::int64_t tokens);

  BeamOptions options_;
  std::function<bool(std::int32_t)> ends_;
  std::int64_t longest_;
  std::int64_t given_;
  std::int64_t steps_ = 0;
  std::vector<Beam> live_ = {Beam{}};
  std::vector<Beam> finished_;  // the best first
};

}  // namespace witan
