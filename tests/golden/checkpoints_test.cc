// Released architectures against Hugging Face Transformers: logits, greedy continuations, experts and their weights.
#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/json.h"
#include "inference/row_experts.h"
#include "layers/kv_cache.h"
#include "models/checkpoint_folder.h"
#include "support/compare.h"

namespace witan {
namespace {

class CheckpointTest : public testing::TestWithParam<const char*> {
 protected:
  CheckpointTest()
      : folder_(std::filesystem::path(WITAN_TEST_DATA) / "golden" / "checkpoints" / GetParam()),
        model_(load_model(folder_)),
        expected_(read_json_file(folder_ / "expected.json")),
        tolerance_(expected_.at("suggested_atol").get<float>()) {}

  std::vector<std::int32_t> prompt(std::size_t i) const {
    return expected_.at("prompts").at(i).get<std::vector<std::int32_t>>();
  }
  Tensor all_logits(const std::vector<std::int32_t>& ids, const RoutingObserver& observer = {}) const {
    Tape off;
    return model_->logits(
        model_->forward(off, ids, 1, static_cast<std::int64_t>(ids.size()), {}, nullptr, observer).hidden);
  }
  static std::span<const float> row(const Tensor& logits, std::int64_t index) {
    return {logits.matrix().row(index), static_cast<std::size_t>(logits.cols())};
  }

  std::filesystem::path folder_;
  std::unique_ptr<Decoder> model_;
  nlohmann::json expected_;
  float tolerance_;
};

TEST_P(CheckpointTest, LogitsAgree) {
  for (std::size_t i = 0; i < expected_.at("prompts").size(); ++i) {
    const Tensor logits = all_logits(prompt(i));
    const auto last = expected_.at("logits_last").at(i).get<std::vector<float>>();
    EXPECT_TRUE(test::near(row(logits, logits.rows() - 1), last, tolerance_)) << "prompt " << i;
  }
  const Tensor logits = all_logits(prompt(0));
  const nlohmann::json& all = expected_.at("logits_all_first_prompt");
  ASSERT_EQ(static_cast<std::size_t>(logits.rows()), all.size());
  for (std::size_t position = 0; position < all.size(); ++position) {
    EXPECT_TRUE(test::near(row(logits, static_cast<std::int64_t>(position)), all.at(position).get<std::vector<float>>(),
                           tolerance_))
        << "position " << position;
  }
}

TEST_P(CheckpointTest, GreedyContinuationsAgree) {
  for (std::size_t i = 0; i < expected_.at("prompts").size(); ++i) {
    const auto wanted = expected_.at("greedy").at(i).get<std::vector<std::int32_t>>();
    KvCache cache = model_->make_cache();
    std::vector<std::int32_t> next = prompt(i);
    std::vector<std::int32_t> continuation;
    while (continuation.size() < wanted.size()) {
      Tape off;
      const Tensor hidden = model_->forward(off, next, 1, static_cast<std::int64_t>(next.size()), {}, &cache).hidden;
      const Tensor logits = model_->logits(hidden);
      const std::span<const float> last = row(logits, logits.rows() - 1);
      next = {static_cast<std::int32_t>(std::max_element(last.begin(), last.end()) - last.begin())};
      continuation.push_back(next.front());
    }
    EXPECT_EQ(continuation, wanted) << "prompt " << i;
  }
}

TEST_P(CheckpointTest, ExpertsAndTheirWeightsAgree) {
  std::vector<std::vector<RowExperts>> routed;  // per mixture layer and row
  all_logits(prompt(0), [&routed](std::int64_t, const Routing& routing) {
    routed.push_back(experts_by_row(*routing.assignment));
  });
  const nlohmann::json& layers = expected_.at("router");
  ASSERT_EQ(routed.size(), layers.size());
  for (std::size_t layer = 0; layer < layers.size(); ++layer) {
    const nlohmann::json& experts = layers.at(layer).at("experts");
    const nlohmann::json& weights = layers.at(layer).at("weights");
    ASSERT_EQ(routed[layer].size(), experts.size());
    for (std::size_t row = 0; row < experts.size(); ++row) {
      const RowExperts& actual = routed[layer][row];
      ASSERT_EQ(actual.experts.size(), experts.at(row).size());
      for (std::size_t choice = 0; choice < actual.experts.size(); ++choice) {
        const auto wanted = experts.at(row).get<std::vector<std::int32_t>>();
        const auto found = std::find(wanted.begin(), wanted.end(), actual.experts[choice]);
        ASSERT_NE(found, wanted.end()) << "layer " << layer << " row " << row << " expert " << actual.experts[choice];
        const auto at = static_cast<std::size_t>(found - wanted.begin());
        EXPECT_NEAR(actual.weights[choice], weights.at(row).at(at).get<float>(), tolerance_);
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Released, CheckpointTest, testing::Values("mixtral", "olmoe"),
                         [](const auto& given) { return std::string(given.param); });

}  // namespace
}  // namespace witan
