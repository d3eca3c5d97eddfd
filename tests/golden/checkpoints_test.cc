// Released architectures against Hugging Face Transformers: logits, greedy continuations, experts and their weights.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "base/json.h"
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
  // Per layer and row: expert -> weight.
  std::map<std::int64_t, std::vector<std::map<std::int32_t, float>>> routed;
  all_logits(prompt(0), [&routed](std::int64_t layer, const Routing& routing) {
    const Assignment& assignment = *routing.assignment;
    auto& rows = routed[layer];
    rows.resize(static_cast<std::size_t>(assignment.num_rows));
    for (std::int64_t expert = 0; expert < assignment.num_experts; ++expert) {
      for (auto a = assignment.expert_offsets[static_cast<std::size_t>(expert)];
           a < assignment.expert_offsets[static_cast<std::size_t>(expert) + 1]; ++a) {
        const auto at = static_cast<std::size_t>(a);
        rows.at(static_cast<std::size_t>(assignment.row_indices[at]))[static_cast<std::int32_t>(expert)] =
            assignment.combine_weights[at];
      }
    }
  });
  const nlohmann::json& layers = expected_.at("router");
  ASSERT_EQ(routed.size(), layers.size());
  for (std::size_t layer = 0; layer < layers.size(); ++layer) {
    const nlohmann::json& experts = layers.at(layer).at("experts");
    const nlohmann::json& weights = layers.at(layer).at("weights");
    const auto& rows = routed.at(static_cast<std::int64_t>(layer));
    ASSERT_EQ(rows.size(), experts.size());
    for (std::size_t row = 0; row < rows.size(); ++row) {
      ASSERT_EQ(rows[row].size(), experts.at(row).size());
      for (std::size_t choice = 0; choice < experts.at(row).size(); ++choice) {
        const auto found = rows[row].find(experts.at(row).at(choice).get<std::int32_t>());
        ASSERT_NE(found, rows[row].end()) << "layer " << layer << " row " << row;
        EXPECT_NEAR(found->second, weights.at(row).at(choice).get<float>(), tolerance_);
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Released, CheckpointTest, testing::Values("mixtral", "olmoe"),
                         [](const auto& given) { return std::string(given.param); });

}  // namespace
}  // namespace witan
