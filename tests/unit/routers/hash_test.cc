// Hash layers: what each variant looks up, MultiHash, balance, clusters, and how tables are made and kept.
#include <gtest/gtest.h>

#include <cmath>
#include <numeric>
#include <set>

#include "routers/hash_tables.h"
#include "support/compare.h"
#include "support/error_message.h"
#include "support/gradient_check.h"
#include "support/routed.h"

namespace witan {
namespace routers_hash_test {

using test::Settings;
using Experts = std::vector<std::vector<std::int64_t>>;

Settings variant(const char* name) { return {{"hash_variant", name}}; }

Experts route(Router& router, const std::vector<std::int32_t>& ids, RouterContext context = {}) {
  const Tensor rows = Tensor::zeros({static_cast<std::int64_t>(ids.size()), 3});
  context.token_ids = ids;
  context.rows = &rows;
  Tape off;
  const Routing routing = router.route(off, {}, context);
  routing.assignment->validate();
  EXPECT_FALSE(routing.probabilities.defined());
  for (const float weight : routing.combine_weights.values()) EXPECT_EQ(weight, 1.0F);
  return test::experts_of_rows(*routing.assignment);
}

// Counts that fall as 1 / rank.
std::vector<std::int64_t> zipf(std::size_t words) {
  std::vector<std::int64_t> counts(words);
  for (std::size_t i = 0; i < words; ++i) counts[i] = 10000 / static_cast<std::int64_t>(i + 1);
  return counts;
}

TEST(HashRouterTest, ATokenAlwaysGoesToItsExperts) {
  for (const char* const name : {"random", "balanced", "clustered"}) {
    const auto router = test::router_of("hash", 6, 1, variant(name));
    const Experts experts = route(*router, {4, 9, 4, 30, 9});
    EXPECT_EQ(experts[0], experts[2]);
    EXPECT_EQ(experts[1], experts[4]);
    EXPECT_EQ(route(*router, {9})[0], experts[1]) << "whatever stands beside it";
  }
}

TEST(HashRouterTest, MultiHashChoosesOneSliceOfEachPart) {
  for (const char* const name : {"random", "balanced", "position", "previous", "clustered"}) {
    const auto router = test::router_of("hash", 7, 3, variant(name));
    std::vector<std::int32_t> ids(30);
    std::iota(ids.begin(), ids.end(), 0);
    std::set<std::vector<std::int64_t>> seen;
    for (const std::vector<std::int64_t>& experts : route(*router, ids)) {
      ASSERT_EQ(experts.size(), 3U);
      EXPECT_LT(experts[0], 2);  // parts [0, 2), [2, 4), [4, 7)
      EXPECT_TRUE(experts[1] >= 2 && experts[1] < 4);
      EXPECT_GE(experts[2], 4);
      seen.insert(experts);
    }
    EXPECT_GT(seen.size(), 6U) << name << ": the tables are the same but for the part";
  }
}

TEST(HashRouterTest, TablesComeFromTheSeedAndDifferBetweenLayers) {
  for (const char* const name : {"random", "balanced", "clustered"}) {
    const Tensor embedding = test::random_tensor({50, 3}, 2);
    const std::vector<std::int64_t> counts = zipf(50);
    const auto table = [&](std::uint64_t seed) {
      const auto router = test::router_of("hash", 8, 2, variant(name), seed);
      router->prepare({counts, &embedding});
      const auto values = router->buffers()[0].value.values();
      return std::vector<float>(values.begin(), values.end());
    };
    EXPECT_EQ(table(1), table(1)) << name;
    EXPECT_NE(table(1), table(2)) << name;
  }
}

TEST(HashRouterTest, SavedTablesDecide) {
  const auto first = test::router_of("hash", 8, 2, variant("random"), 1);
  const auto second = test::router_of("hash", 8, 2, variant("random"), 2);
  const std::vector<std::int32_t> ids = {1, 2, 3, 40, 49};
  ASSERT_NE(route(*first, ids), route(*second, ids));
  ASSERT_EQ(first->buffers().size(), 1U);
  std::ranges::copy(first->buffers()[0].value.values(), second->buffers()[0].value.data());
  EXPECT_EQ(route(*first, ids), route(*second, ids));
}

TEST(HashRouterTest, BalancedByFrequencyEvensOutTheRows) {
  const std::vector<std::int64_t> counts = zipf(50);
  const auto load = [&](const char* name) {
    const auto router = test::router_of("hash", 4, 1, variant(name));
    router->prepare({counts, nullptr});
    std::vector<std::int64_t> rows(4, 0);
    for (std::int32_t id = 0; id < 50; ++id) {
      rows[static_cast<std::size_t>(route(*router, {id})[0][0])] += counts[static_cast<std::size_t>(id)];
    }
    return static_cast<double>(*std::ranges::max_element(rows)) * 4.0 /
           static_cast<double>(std::accumulate(rows.begin(), rows.end(), std::int64_t{0}));
  };
  EXPECT_LT(load("balanced"), 1.1);
  EXPECT_GT(load("random"), 1.2);
}

TEST(HashRouterTest, ByPosition) {
  const auto router = test::router_of("hash", 6, 1, variant("position"));
  const Experts experts = route(*router, {1, 2, 3, 1, 2, 3}, {.rows_per_sequence = 3});
  for (std::size_t i = 0; i < 3; ++i) EXPECT_EQ(experts[i], experts[i + 3]);
  const std::vector<std::int32_t> positions = {1};
  EXPECT_EQ(route(*router, {44}, {.positions = positions})[0], experts[1]) << "one token of a longer sequence";
  const std::vector<std::int32_t> beyond = {41};  // the table has 40 positions
  EXPECT_EQ(route(*router, {44}, {.positions = beyond})[0], experts[1]);
}

TEST(HashRouterTest, ByPreviousToken) {
  const auto router = test::router_of("hash", 6, 1, variant("previous"));
  const Experts experts = route(*router, {7, 8, 9, 7, 8, 7}, {.rows_per_sequence = 3});
  EXPECT_EQ(experts[0], experts[3]) << "first of their sequences: nothing before";
  EXPECT_EQ(experts[1], experts[4]);
  const std::vector<std::int32_t> fourth = {3};
  EXPECT_EQ(route(*router, {30}, {.positions = fourth, .token_before = 7})[0], experts[1]) << "as in generation";
  EXPECT_EQ(route(*router, {30}, {.positions = fourth, .token_before = 8})[0], experts[2]);
}

TEST(HashRouterTest, ClustersOfTheEmbeddingStayTogether) {
  // Four groups of tokens around far corners.
  Tensor embedding = test::random_tensor({50, 3}, 3, 0.1F);
  for (std::int64_t id = 0; id < 50; ++id) {
    embedding.matrix()(id, 0) += id % 2 == 0 ? 10.0F : -10.0F;
    embedding.matrix()(id, 1) += id % 4 < 2 ? 10.0F : -10.0F;
  }
  const auto spread = [&](std::span<const std::int32_t> buckets) {
    double sum = 0.0;
    for (std::int64_t a = 0; a < 50; ++a) {
      for (std::int64_t b = 0; b < a; ++b) {
        if (buckets[static_cast<std::size_t>(a)] != buckets[static_cast<std::size_t>(b)]) continue;
        for (std::int64_t d = 0; d < 3; ++d) sum += std::pow(embedding.matrix()(a, d) - embedding.matrix()(b, d), 2.0F);
      }
    }
    return sum;
  };
  Random random(4);
  double best = 1e30;
  for (int start = 0; start < 5; ++start) best = std::min(best, spread(clustered_buckets(embedding, 4, random)));
  EXPECT_LT(best, 0.01 * spread(random_buckets(50, 4, random)));
  EXPECT_EQ(clustered_buckets(test::random_tensor({3, 2}, 1), 8, random).size(), 3U) << "fewer keys than buckets";
  EXPECT_TRUE(clustered_buckets(Tensor::zeros({0, 2}), 8, random).empty());
  const std::vector<std::int32_t> alike = clustered_buckets(Tensor::full({6, 2}, 1.0F), 3, random);
  EXPECT_EQ(std::ranges::count(alike, 0), 6) << "ties go to the lowest";
}

TEST(HashRouterTest, MaskedRowsGoNowhere) {
  const auto router = test::router_of("hash", 6, 2);
  const std::vector<std::uint8_t> mask = {1, 0, 1};
  const Experts experts = route(*router, {1, 999, 2}, {.row_mask = mask});
  EXPECT_TRUE(experts[1].empty());
  EXPECT_EQ(experts[0].size() + experts[2].size(), 4U);
}

TEST(HashRouterTest, RefusesWhatItCannotLookUp) {
  const auto router = test::router_of("hash", 6, 1);
  EXPECT_NE(test::error_message([&] {
              route(*router, {3, 50});
            }).find("token id 50 is not in [0, 50)"),
            std::string::npos);
  const Tensor rows = Tensor::zeros({2, 3});
  Tape off;
  EXPECT_NE(test::error_message([&] { router->route(off, {}, {.rows = &rows}); }).find("0 token ids for 2 rows"),
            std::string::npos);
  RouterOptions options;
  options.router = "hash";
  Random random(1);
  EXPECT_NE(test::error_message([&] { find_router("hash").make(options, 3, random); }).find("vocab_size"),
            std::string::npos);
  EXPECT_NE(test::error_message([&] { test::router_of("hash", 4, 5); }).find("num_experts_per_tok=5"),
            std::string::npos);
}

}  // namespace routers_hash_test
}  // namespace witan
