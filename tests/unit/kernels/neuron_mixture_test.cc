// Gathered neurons against the reference, and the grouping by expert against its definition.
#include "kernels/neuron_mixture.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "base/random.h"
#include "support/compare.h"
#include "support/isa.h"
#include "support/normals.h"

namespace witan::kernels {
namespace kernels_neuron_mixture_test {

using test::normals;

// Some slots are empty, and some rows name an expert twice.
std::vector<std::int32_t> choices(std::int64_t slots, std::int64_t num_experts) {
  Random random(7);
  std::vector<std::int32_t> experts(static_cast<std::size_t>(slots));
  for (auto& expert : experts) {
    expert = static_cast<std::int32_t>(random.below(static_cast<std::uint64_t>(num_experts + 1))) - 1;
  }
  return experts;
}

TEST(NeuronMixtureKernelTest, MatchesTheReference) {
  struct Case {
    std::int64_t rows, per_row, experts, width;
  };
  for (const auto& [rows, per_row, experts, width] :
       {Case{0, 3, 5, 4}, Case{1, 1, 1, 1}, Case{9, 6, 5, 17}, Case{33, 16, 300, 67}}) {
    const std::vector<float> x = normals(rows * width, 1);
    const std::vector<float> up = normals(experts * width, 2);
    const std::vector<float> down = normals(experts * width, 3);
    const std::vector<float> weights = normals(rows * per_row, 4);
    const std::vector<std::int32_t> named = choices(rows * per_row, experts);
    for (const Activation activation : {Activation::kGelu, Activation::kSilu, Activation::kRelu}) {
      std::vector<float> expected(x.size());
      neuron_mixture_reference({x.data(), rows, width}, {up.data(), experts, width}, {down.data(), experts, width},
                               {named, per_row}, {weights.data(), rows, per_row}, activation,
                               {expected.data(), rows, width});
      test::for_each_isa([&] {
        std::vector<float> hidden(weights.size(), -1.0F);
        std::vector<float> y(x.size(), -1.0F);
        neuron_mixture({x.data(), rows, width}, {up.data(), experts, width}, {down.data(), experts, width},
                       {named, per_row}, {weights.data(), rows, per_row}, activation, {hidden.data(), rows, per_row},
                       {y.data(), rows, width});
        EXPECT_TRUE(test::near(y, expected, test::accumulation_tolerance(width * per_row, 60.0F))) << rows;
      });
    }
  }
}

TEST(NeuronMixtureKernelTest, SlotsAreGroupedByExpertWhateverTheirNumber) {
  for (const std::int64_t num_experts : {1, 7, 2048, 5000000}) {
    const std::vector<std::int32_t> named = choices(1000, num_experts);
    const ChosenExperts chosen = group_by_expert({named, 10});
    ASSERT_EQ(chosen.offsets.size(), chosen.experts.size() + 1);
    EXPECT_TRUE(std::is_sorted(chosen.experts.begin(), chosen.experts.end(), std::less_equal<>()));
    std::size_t seen = 0;
    for (std::size_t i = 0; i < chosen.experts.size(); ++i) {
      EXPECT_LT(chosen.offsets[i], chosen.offsets[i + 1]);
      for (std::int64_t at = chosen.offsets[i]; at < chosen.offsets[i + 1]; ++at, ++seen) {
        const std::int32_t slot = chosen.slots[static_cast<std::size_t>(at)];
        EXPECT_EQ(named[static_cast<std::size_t>(slot)], chosen.experts[i]);
        EXPECT_TRUE(at == chosen.offsets[i] || chosen.slots[static_cast<std::size_t>(at) - 1] < slot);
      }
    }
    EXPECT_EQ(seen, 1000U - static_cast<std::size_t>(std::ranges::count(named, -1)));
  }
  const std::vector<std::int32_t> none = {-1, -1};
  EXPECT_TRUE(group_by_expert({none, 2}).experts.empty());
}

}  // namespace kernels_neuron_mixture_test
}  // namespace witan::kernels
