// BeamSearch: with room for all beginnings the best of all outputs; what its options mean; ties.
#include "inference/beam_search.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>

#include "base/random.h"
#include "support/error_message.h"

namespace witan {
namespace beam_search_test {

constexpr std::int32_t kEnd = 0;

// Log-probabilities of the next of `vocabulary` tokens after any beginning: random, the same for the same beginning.
class RandomLanguage {
 public:
  RandomLanguage(std::int64_t vocabulary, std::uint64_t seed) : vocabulary_(vocabulary), seed_(seed) {}

  std::vector<float> next(const std::vector<std::int32_t>& ids) const {
    std::uint64_t key = seed_;
    for (const std::int32_t id : ids) key = key * 31 + static_cast<std::uint64_t>(id) + 1;
    Random random(key);
    std::vector<double> weights;
    double sum = 0.0;
    for (std::int64_t i = 0; i < vocabulary_; ++i) sum += weights.emplace_back(random.uniform_open());
    std::vector<float> result;
    for (const double weight : weights) result.push_back(static_cast<float>(std::log(weight / sum)));
    return result;
  }

  BeamSearch::Beam search(const BeamOptions& options, std::int64_t longest, std::int64_t given = 0) const {
    BeamSearch beams(
        options, [](std::int32_t id) { return id == kEnd; }, longest, given);
    while (!beams.done()) {
      std::vector<float> rows;
      for (const BeamSearch::Beam& beam : beams.live()) {
        const std::vector<float> row = next(beam.ids);
        rows.insert(rows.end(), row.begin(), row.end());
      }
      beams.advance({rows.data(), static_cast<std::int64_t>(beams.live().size()), vocabulary_});
    }
    return beams.best();
  }

  // Of all outputs of at most `longest` tokens, the end counted, the best score.
  double best_of_all(double length_penalty, std::int64_t longest, std::int64_t given) const {
    double best = -1e300;
    const std::function<void(std::vector<std::int32_t>, double)> walk = [&](std::vector<std::int32_t> ids, double sum) {
      const std::vector<float> row = next(ids);
      const auto length = static_cast<double>(ids.size() + 1 + static_cast<std::size_t>(given));
      for (std::int64_t id = 0; id < vocabulary_; ++id) {
        const double score = sum + static_cast<double>(row[static_cast<std::size_t>(id)]);
        const bool last = static_cast<std::int64_t>(ids.size()) + 1 == longest;
        if (id == kEnd || last) best = std::max(best, score / std::pow(length, length_penalty));
        if (id == kEnd || last) continue;
        std::vector<std::int32_t> longer = ids;
        longer.push_back(static_cast<std::int32_t>(id));
        walk(longer, score);
      }
    };
    walk({}, 0.0);
    return best;
  }

 private:
  std::int64_t vocabulary_;
  std::uint64_t seed_;
};

TEST(BeamSearchTest, WithRoomForEveryBeginningFindsTheBestOutput) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    const RandomLanguage language(4, seed);
    for (const double penalty : {0.0, 1.0, 2.0}) {
      for (const std::int64_t given : {0, 1}) {
        // "never" alone waits for outputs that only become better by their length.
        const BeamOptions options{256, penalty, EarlyStopping::kNever};
        EXPECT_NEAR(language.search(options, 4, given).score, language.best_of_all(penalty, 4, given), 1e-9)
            << "seed " << seed << " penalty " << penalty;
      }
    }
  }
}

TEST(BeamSearchTest, OneBeamIsGreedy) {
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    const RandomLanguage language(6, seed);
    std::vector<std::int32_t> greedy;
    bool ended = false;
    while (!ended && greedy.size() < 8) {
      const std::vector<float> row = language.next(greedy);
      const auto id = static_cast<std::int32_t>(std::max_element(row.begin(), row.end()) - row.begin());
      ended = id == kEnd;
      if (!ended) greedy.push_back(id);
    }
    const BeamSearch::Beam best = language.search({1, 1.0, EarlyStopping::kYes}, 8);
    EXPECT_EQ(best.ids, greedy) << seed;
    EXPECT_EQ(best.ended, ended);
  }
}

TEST(BeamSearchTest, MoreBeamsNeverLoseOnAverage) {
  double few = 0.0;
  double many = 0.0;
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    const RandomLanguage language(8, seed);
    few += language.search({1, 1.0, EarlyStopping::kNo}, 6).score;
    many += language.search({6, 1.0, EarlyStopping::kNo}, 6).score;
  }
  EXPECT_GT(many, few);
}

TEST(BeamSearchTest, LongerOutputsGainByThePenalty) {
  // Ending at once: log 0.5; "1" and then the end: log 0.4.
  const auto rows = [](const std::vector<BeamSearch::Beam>& live) {
    std::vector<float> all;
    for (const BeamSearch::Beam& beam : live) {
      const std::vector<double> p =
          beam.ids.empty() ? std::vector<double>{0.5, 0.4, 0.1} : std::vector<double>{0.9999, 0.00005, 0.00005};
      for (const double value : p) all.push_back(static_cast<float>(std::log(value)));
    }
    return all;
  };
  const auto best = [&](double penalty) {
    BeamSearch beams(
        {2, penalty, EarlyStopping::kNever}, [](std::int32_t id) { return id == kEnd; }, 3, 0);
    while (!beams.done()) {
      const std::vector<float> values = rows(beams.live());
      beams.advance({values.data(), static_cast<std::int64_t>(beams.live().size()), 3});
    }
    return beams.best().ids;
  };
  EXPECT_EQ(best(0.0), std::vector<std::int32_t>{});
  EXPECT_EQ(best(1.0), std::vector<std::int32_t>{1});
}

TEST(BeamSearchTest, EarlyStoppingEndsWithAsManyOutputsAsBeams) {
  // Every beam may always end with probability 0.6: after two steps both places are filled.
  const std::vector<float> row = {std::log(0.6F), std::log(0.25F), std::log(0.15F)};
  const auto steps = [&](EarlyStopping early) {
    BeamSearch beams(
        {2, 1.0, early}, [](std::int32_t id) { return id == kEnd; }, 50, 0);
    int count = 0;
    for (; !beams.done(); ++count) {
      std::vector<float> values;
      for (std::size_t i = 0; i < beams.live().size(); ++i) values.insert(values.end(), row.begin(), row.end());
      beams.advance({values.data(), static_cast<std::int64_t>(beams.live().size()), 3});
    }
    return count;
  };
  EXPECT_EQ(steps(EarlyStopping::kYes), 2);
  EXPECT_LE(steps(EarlyStopping::kYes), steps(EarlyStopping::kNo));
  EXPECT_LE(steps(EarlyStopping::kNo), steps(EarlyStopping::kNever));
}

TEST(BeamSearchTest, TokensOfNoProbabilityAreNeverTaken) {
  constexpr float kNever = -INFINITY;
  BeamSearch beams(
      {3, 1.0, EarlyStopping::kNo}, [](std::int32_t id) { return id == kEnd; }, 4, 0);
  while (!beams.done()) {
    std::vector<float> values;
    for (std::size_t i = 0; i < beams.live().size(); ++i) {
      for (const float value : {kNever, std::log(0.5F), kNever, std::log(0.5F)}) values.push_back(value);
    }
    beams.advance({values.data(), static_cast<std::int64_t>(beams.live().size()), 4});
  }
  EXPECT_EQ(beams.best().ids, (std::vector<std::int32_t>{1, 1, 1, 1}));  // of equal ones the lowest ids
  EXPECT_FALSE(beams.best().ended);
}

TEST(BeamSearchTest, RefusesNoBeams) {
  EXPECT_EQ(test::error_message([] {
              BeamSearch({0, 1.0, EarlyStopping::kNo}, {}, 1, 0);
            }),
            "beam search: beams=0 is below 1");
}

}  // namespace beam_search_test
}  // namespace witan
