// The attention ops: gradients, causality, the cache, wrong shapes, memory.
#include "autograd/ops/attention.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "base/parallel.h"
#include "base/pool.h"
#include "support/compare.h"
#include "support/error_message.h"
#include "support/gradient_check.h"

namespace witan {
namespace autograd_ops_attention_test {

using ops::AttentionShape;
using test::random_tensor;

struct Inputs {
  Tensor q;
  Tensor k;
  Tensor v;
};

Inputs random_inputs(const AttentionShape& shape, std::uint64_t seed) {
  const std::int64_t rows = shape.batch * shape.sequence;
  return {random_tensor({rows, shape.heads * shape.head_dim}, seed),
          random_tensor({rows, shape.kv_heads * shape.head_dim}, seed + 1),
          random_tensor({rows, shape.kv_heads * shape.head_dim}, seed + 2)};
}

TEST(AttentionOpTest, GradientsMatchCentralDifferences) {
  for (const AttentionShape& shape : {AttentionShape{2, 5, 2, 1, 4}, AttentionShape{1, 19, 3, 3, 2, 0.3F}}) {
    const Inputs in = random_inputs(shape, 3);
    const Tensor inputs[] = {in.q, in.k, in.v};
    EXPECT_TRUE(test::gradients_match(
        [&](Tape& tape, std::span<const Tensor> x) { return ops::attention(tape, x[0], x[1], x[2], shape); }, inputs));
  }
}

TEST(AttentionOpTest, WindowsAndSinksHaveTheirGradients) {
  AttentionShape shape{2, 7, 4, 2, 3};
  shape.window = 3;
  const Inputs in = random_inputs(shape, 4);
  const Tensor inputs[] = {in.q, in.k, in.v, random_tensor({4}, 8)};
  EXPECT_TRUE(test::gradients_match(
      [&](Tape& tape, std::span<const Tensor> x) { return ops::attention(tape, x[0], x[1], x[2], shape, x[3]); },
      inputs));
}

TEST(AttentionOpTest, GradientOfASharedInputIsTheSumOfAllThree) {
  const AttentionShape shape{2, 7, 2, 2, 3};
  const Inputs in = random_inputs(shape, 5);
  const Tensor inputs[] = {in.q};
  EXPECT_TRUE(test::gradients_match(
      [&](Tape& tape, std::span<const Tensor> x) { return ops::attention(tape, x[0], x[0], x[0], shape); }, inputs));
}

TEST(AttentionOpTest, GradientsAddToWhatIsThere) {
  const AttentionShape shape{1, 9, 2, 1, 4};
  const Inputs in = random_inputs(shape, 7);
  const Tensor inputs[] = {in.q, in.k, in.v};
  const Tensor direction = random_tensor(in.q.shape(), 11);
  const auto run = [&] {
    Tape tape(Tape::Mode::kRecording);
    tape.backward(ops::attention(tape, in.q, in.k, in.v, shape), direction);
  };
  run();
  std::vector<std::vector<float>> once;
  for (const Tensor& x : inputs) once.emplace_back(x.grad().values().begin(), x.grad().values().end());
  run();
  for (std::size_t which = 0; which < 3; ++which) {
    for (float& value : once[which]) value *= 2.0F;
    EXPECT_TRUE(test::near(inputs[which].grad().values(), once[which], 1e-5F)) << "input " << which;
  }
}

TEST(AttentionOpTest, SkipsGradientsNobodyWants) {
  const AttentionShape shape{1, 40, 2, 1, 4};
  const Inputs in = random_inputs(shape, 9);
  const Tensor direction = random_tensor(in.q.shape(), 11);
  const auto run = [&](const Tensor& q, const Tensor& k, const Tensor& v) {
    Tape tape(Tape::Mode::kRecording);
    tape.backward(ops::attention(tape, q, k, v, shape), direction);
  };
  run(in.q, in.k, in.v);
  for (int wanted = 0; wanted < 3; ++wanted) {
    const Tensor all[] = {in.q, in.k, in.v};
    Tensor some[] = {in.q.detached(), in.k.detached(), in.v.detached()};
    some[wanted].set_requires_grad(true);
    run(some[0], some[1], some[2]);
    EXPECT_TRUE(test::near(some[wanted].grad().values(), all[wanted].grad().values(), 1e-5F)) << wanted;
  }
}

TEST(AttentionOpTest, TheFutureDoesNotChangeThePast) {
  const AttentionShape shape{2, 70, 2, 1, 8};
  const Inputs in = random_inputs(shape, 13);
  Tape tape;
  const Tensor before = ops::attention(tape, in.q, in.k, in.v, shape);
  const std::int64_t changed = 33;  // of the second sequence
  for (const Tensor& x : {in.q, in.k, in.v}) {
    for (std::int64_t c = 0; c < x.cols(); ++c) x.matrix()(shape.sequence + changed, c) += 3.0F;
  }
  const Tensor after = ops::attention(tape, in.q, in.k, in.v, shape);
  const auto past = static_cast<std::size_t>((shape.sequence + changed) * before.cols());
  EXPECT_TRUE(test::identical(after.values().first(past), before.values().first(past)));
  for (std::int64_t row = shape.sequence + changed; row < 2 * shape.sequence; ++row) {
    EXPECT_FALSE(std::equal(after.matrix().row(row), after.matrix().row(row) + after.cols(), before.matrix().row(row)))
        << row;
  }
}

TEST(AttentionOpTest, CacheGivesWhatTheWholeSequenceGives) {
  const AttentionShape shape{1, 150, 4, 2, 6};
  const Inputs in = random_inputs(shape, 17);
  Tape tape;
  const Tensor whole = ops::attention(tape, in.q, in.k, in.v, shape);
  const float tolerance = test::accumulation_tolerance(shape.sequence, test::max_abs(in.v.values()));
  for (const std::int64_t chunk : {1, 3, 64, 150}) {
    for (std::int64_t begin = 0; begin < shape.sequence; begin += chunk) {
      const std::int64_t n = std::min(chunk, shape.sequence - begin);
      const auto offset = static_cast<std::size_t>(begin * whole.cols());
      const auto count = static_cast<std::size_t>(n * whole.cols());
      const Tensor q = Tensor::from({n, whole.cols()}, in.q.values().subspan(offset, count));
      const ConstMatrix keys(in.k.data(), begin + n, in.k.cols());
      const ConstMatrix values(in.v.data(), begin + n, in.v.cols());
      const Tensor part = ops::attention_with_cache(q, keys, values, shape);
      EXPECT_TRUE(test::near(part.values(), whole.values().subspan(offset, count), tolerance))
          << "chunk " << chunk << " at " << begin;
    }
  }
}

TEST(AttentionOpTest, TheBitsOfARowDoNotDependOnTheThreads) {
  const AttentionShape shape{3, 130, 4, 2, 20};
  const Inputs in = random_inputs(shape, 19);
  const int threads = num_threads();
  std::vector<Tensor> outputs;
  for (const int count : {1, 2, 3}) {
    set_num_threads(count);
    Tape tape;
    outputs.push_back(ops::attention(tape, in.q, in.k, in.v, shape));
  }
  set_num_threads(threads);
  EXPECT_TRUE(test::identical(outputs[1].values(), outputs[0].values()));
  EXPECT_TRUE(test::identical(outputs[2].values(), outputs[0].values()));
}

TEST(AttentionOpTest, BackwardIsDeterministic) {
  const AttentionShape shape{1, 200, 2, 1, 16};
  std::vector<Inputs> runs;
  const Tensor direction = random_tensor({shape.sequence, shape.heads * shape.head_dim}, 29);
  const int threads = num_threads();
  set_num_threads(3);
  for (int run = 0; run < 3; ++run) {
    runs.push_back(random_inputs(shape, 23));
    Tape tape(Tape::Mode::kRecording);
    tape.backward(ops::attention(tape, runs.back().q, runs.back().k, runs.back().v, shape), direction);
  }
  set_num_threads(threads);
  for (int run = 1; run < 3; ++run) {
    const auto which = static_cast<std::size_t>(run);
    EXPECT_TRUE(test::identical(runs[which].q.grad().values(), runs[0].q.grad().values()));
    EXPECT_TRUE(test::identical(runs[which].k.grad().values(), runs[0].k.grad().values()));
    EXPECT_TRUE(test::identical(runs[which].v.grad().values(), runs[0].v.grad().values()));
  }
}

TEST(AttentionOpTest, NeverHoldsASequenceBySequenceMatrix) {
  const AttentionShape shape{1, 2048, 2, 1, 8};
  const Inputs in = random_inputs(shape, 31);
  const Tensor direction = random_tensor(in.q.shape(), 37);
  const std::size_t before = pool_statistics().bytes_in_use;
  pool_reset_peak();
  {
    Tape tape(Tape::Mode::kRecording);
    tape.backward(ops::attention(tape, in.q, in.k, in.v, shape), direction);
  }
  const std::size_t matrix = 2048U * 2048U * sizeof(float);
  EXPECT_LT(pool_statistics().peak_bytes_in_use - before, matrix / 4);
}

TEST(AttentionOpTest, EmptySequencesAreEmpty) {
  for (const AttentionShape& shape : {AttentionShape{0, 5, 2, 1, 4}, AttentionShape{3, 0, 2, 1, 4}}) {
    const Inputs in = random_inputs(shape, 1);
    Tape tape(Tape::Mode::kRecording);
    const Tensor out = ops::attention(tape, in.q, in.k, in.v, shape);
    EXPECT_EQ(out.numel(), 0);
    tape.backward(out, Tensor::zeros(out.shape()));
    EXPECT_TRUE(in.k.grad().present());
  }
}

TEST(AttentionOpTest, WrongShapesSaySo) {
  const AttentionShape shape{2, 5, 4, 2, 8};
  const Inputs in = random_inputs(shape, 1);
  Tape tape;
  AttentionShape wrong = shape;
  wrong.sequence = 6;
  EXPECT_EQ(test::error_message([&] { ops::attention(tape, in.q, in.k, in.v, wrong); }),
            "attention: q=[10, 32] k=[10, 16] v=[10, 16] do not fit batch=2 sequence=6 heads=4 kv_heads=2 head_dim=8: "
            "expected q=[12, 32] and k, v=[12, 16]");
  wrong = shape;
  wrong.kv_heads = 3;
  EXPECT_EQ(test::error_message([&] { ops::attention(tape, in.q, in.k, in.v, wrong); }),
            "attention: kv_heads=3 must divide heads=4");
  EXPECT_EQ(test::error_message([&] {
              ops::attention_with_cache(in.q, {in.k.data(), 9, 16}, {in.v.data(), 9, 16}, shape);
            }),
            "attention_with_cache: q=[10, 32] keys=[9, 16] values=[9, 16] do not fit heads=4 kv_heads=2 head_dim=8: "
            "expected q [n, 32] and at least n rows of 16 keys and values");
}

}  // namespace autograd_ops_attention_test
}  // namespace witan
