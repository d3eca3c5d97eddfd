// The fused loss and its gradients against the reference, on strided and unaligned views.
#include "kernels/cross_entropy.h"

#include <gtest/gtest.h>

#include <vector>

#include "base/random.h"
#include "support/compare.h"
#include "support/isa.h"
#include "support/normals.h"

namespace witan::kernels {
namespace kernels_cross_entropy_test {

using test::normals;

TEST(CrossEntropyKernelTest, LossAndGradientsMatchTheReference) {
  struct Case {
    std::int64_t rows, width, vocabulary;
  };
  for (const auto& [rows, width, vocabulary] : {Case{0, 3, 5}, Case{1, 1, 1}, Case{5, 7, 33}, Case{259, 17, 67}}) {
    const std::int64_t stride = width + 3;
    const std::vector<float> hidden_storage = normals(rows * stride + 1, 1);
    const std::vector<float> weight_storage = normals(vocabulary * stride + 1, 2);
    const ConstMatrix hidden(hidden_storage.data() + 1, rows, width, stride);
    const ConstMatrix weight(weight_storage.data() + 1, vocabulary, width, stride);
    Random random(3);
    std::vector<std::int32_t> targets(static_cast<std::size_t>(rows));
    for (auto& target : targets)
      target = static_cast<std::int32_t>(random.below(static_cast<std::uint64_t>(vocabulary)));
    if (rows > 2) targets[1] = -1;
    struct Results {
      double loss = 0.0;
      std::vector<float> losses, dhidden, dweight;
    };
    const auto run = [&](auto&& loss) {
      Results results{0.0, std::vector<float>(targets.size(), -1.0F),
                      std::vector<float>(static_cast<std::size_t>(rows * width), -1.0F),
                      std::vector<float>(static_cast<std::size_t>(vocabulary * width), -1.0F)};
      results.loss =
          loss(hidden, weight, targets, results.losses,
               CrossEntropyGradients{
                   {results.dhidden.data(), rows, width}, {results.dweight.data(), vocabulary, width}, 0.5F});
      return results;
    };
    const Results expected = run(cross_entropy_reference);
    test::for_each_isa([&] {
      const Results actual = run([](auto&&... arguments) { return cross_entropy(arguments...); });
      const float tolerance = test::accumulation_tolerance(width, 32.0F);
      EXPECT_NEAR(actual.loss, expected.loss, 2e-6 * (1.0 + expected.loss)) << rows;
      EXPECT_TRUE(test::near(actual.losses, expected.losses, tolerance)) << rows;
      EXPECT_TRUE(test::near(actual.dhidden, expected.dhidden, test::accumulation_tolerance(vocabulary, 8.0F))) << rows;
      EXPECT_TRUE(test::near(actual.dweight, expected.dweight, test::accumulation_tolerance(rows, 8.0F))) << rows;
    });
  }
}

}  // namespace kernels_cross_entropy_test
}  // namespace witan::kernels
