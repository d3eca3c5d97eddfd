// The estimate of a run's memory follows the sizes of the model.
#include "training/memory.h"

#include <gtest/gtest.h>

#include "models/parameter_counts.h"

namespace witan {
namespace memory_test {

MemoryEstimate estimate(const TrainSettings& settings) {
  return estimate_memory(settings, count_parameters(settings.model));
}

TEST(MemoryEstimateTest, SharedExpertsAreOneNetworkHoweverTheyAreNamed) {
  TrainSettings counted = preset_settings("tiny");
  counted.model.moe.n_shared_experts = 3;
  TrainSettings sized = preset_settings("tiny");
  sized.model.moe.shared_expert_intermediate_size = 3 * sized.model.moe.moe_intermediate_size;
  const MemoryEstimate none = estimate(preset_settings("tiny"));
  EXPECT_EQ(estimate(counted).activations, estimate(sized).activations);
  const std::int64_t tokens = counted.data.batch_size * counted.data.sequence_length;
  const std::int64_t layers = counted.model.num_hidden_layers;
  const std::int64_t width = counted.model.moe.shared_width();
  EXPECT_EQ(estimate(counted).activations - none.activations, tokens * layers * 3 * width * 4);
  sized.model.moe.shared_expert_gate = true;
  EXPECT_EQ(estimate(sized).activations - estimate(counted).activations, tokens * layers * sized.model.hidden_size * 4);
  EXPECT_EQ(estimate(counted).weights, count_parameters(counted.model).total * 4);
}

}  // namespace memory_test
}  // namespace witan
