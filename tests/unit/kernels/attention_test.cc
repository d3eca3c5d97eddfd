// Attention against its textbook form, under every instruction set.
#include "kernels/attention.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "base/random.h"
#include "support/compare.h"
#include "support/isa.h"

namespace witan::kernels {
namespace kernels_attention_test {

// A matrix with room between its rows and an odd start, filled with normals; the room must stay what it was.
struct Rows {
  Rows(std::int64_t count, std::int64_t width, std::uint64_t seed)
      : stride(width + 3), storage(static_cast<std::size_t>(count * stride + 1)), rows(count), cols(width) {
    Random(seed).fill_normal(storage, 0.0F, 1.0F);
  }
  Matrix view() { return {storage.data() + 1, rows, cols, stride}; }
  std::vector<float> values() const {
    std::vector<float> dense;
    for (std::int64_t r = 0; r < rows; ++r) {
      const auto begin = storage.begin() + 1 + r * stride;
      dense.insert(dense.end(), begin, begin + cols);
    }
    return dense;
  }
  std::int64_t stride;
  std::vector<float> storage;
  std::int64_t rows;
  std::int64_t cols;
};

struct Problem {
  explicit Problem(const AttentionSizes& s, float q_scale = 1.0F)
      : sizes(s),
        q(s.batch * s.queries, s.heads * s.head_dim, 1),
        k(s.batch * s.keys, s.kv_heads * s.head_dim, 2),
        v(s.batch * s.keys, s.kv_heads * s.head_dim, 3),
        out(q.rows, q.cols, 4),
        dout(q.rows, q.cols, 5),
        dq(q.rows, q.cols, 6),
        dk(k.rows, k.cols, 7),
        dv(k.rows, k.cols, 8),
        statistics(static_cast<std::size_t>(2 * s.batch * s.heads * s.queries)) {
    for (float& value : q.storage) value *= q_scale;
  }
  void forward() { attention(sizes, q.view(), k.view(), v.view(), out.view(), statistics.data()); }
  void backward(bool accumulate) {
    attention_backward(sizes, dout.view(), q.view(), k.view(), v.view(), out.view(), statistics.data(),
                       {dq.view(), accumulate}, {dk.view(), accumulate}, {dv.view(), accumulate});
  }
  AttentionSizes sizes;
  Rows q, k, v, out, dout, dq, dk, dv;
  std::vector<float> statistics;
};

AttentionSizes sizes_of(std::int64_t batch, std::int64_t queries, std::int64_t keys, std::int64_t heads,
                        std::int64_t kv_heads, std::int64_t dim) {
  return {batch, queries, keys, heads, kv_heads, dim, 1.0F / std::sqrt(static_cast<float>(dim))};
}

// Head widths by lengths, with the batches and groups taken in turn.
std::vector<AttentionSizes> many_sizes() {
  const std::int64_t batches[] = {1, 3};
  const std::pair<std::int64_t, std::int64_t> heads[] = {{1, 1}, {4, 2}, {6, 3}};
  std::vector<AttentionSizes> all;
  std::size_t turn = 0;
  for (const std::int64_t dim : {1, 2, 4, 6, 20, 32, 64, 80, 128}) {
    for (const std::int64_t length : {1, 2, 17, 64, 130}) {
      const auto [query_heads, kv_heads] = heads[turn % 3];
      all.push_back(sizes_of(batches[turn % 2], length, length, query_heads, kv_heads, dim));
      ++turn;
    }
  }
  // Queries that are the last of more keys.
  all.push_back(sizes_of(2, 5, 70, 4, 1, 20));
  all.push_back(sizes_of(1, 65, 200, 2, 2, 6));
  all.push_back(sizes_of(1, 128, 129, 1, 1, 32));
  return all;
}

std::string describe(const AttentionSizes& s) {
  return "batch " + std::to_string(s.batch) + " queries " + std::to_string(s.queries) + " keys " +
         std::to_string(s.keys) + " heads " + std::to_string(s.heads) + "/" + std::to_string(s.kv_heads) +
         " head_dim " + std::to_string(s.head_dim);
}

float tolerance(const AttentionSizes& sizes, float magnitude) {
  return test::accumulation_tolerance(sizes.keys * sizes.group() + sizes.head_dim, 2.0F * magnitude);
}

TEST(AttentionKernelTest, ForwardMatchesReference) {
  for (const AttentionSizes& sizes : many_sizes()) {
    SCOPED_TRACE(describe(sizes));
    Problem p(sizes);
    const Rows before = p.out;
    Rows expected = p.out;
    attention_reference(sizes, p.q.view(), p.k.view(), p.v.view(), expected.view());
    test::for_each_isa([&] {
      // The whole storage: nothing between the rows may change.
      p.forward();
      EXPECT_TRUE(test::near(p.out.storage, expected.storage, tolerance(sizes, test::max_abs(p.v.storage))));
      p.out = before;
      attention(sizes, p.q.view(), p.k.view(), p.v.view(), p.out.view(), nullptr);
      EXPECT_TRUE(test::near(p.out.storage, expected.storage, tolerance(sizes, test::max_abs(p.v.storage))));
    });
  }
}

TEST(AttentionKernelTest, BackwardMatchesReference) {
  for (const AttentionSizes& sizes : many_sizes()) {
    SCOPED_TRACE(describe(sizes));
    Problem p(sizes);
    Rows dq = p.dq;
    Rows dk = p.dk;
    Rows dv = p.dv;
    attention_backward_reference(sizes, p.dout.view(), p.q.view(), p.k.view(), p.v.view(), dq.view(), dk.view(),
                                 dv.view());
    test::for_each_isa([&] {
      p.forward();
      p.backward(false);
      EXPECT_TRUE(test::near(p.dq.storage, dq.storage, tolerance(sizes, 1.0F + test::max_abs(dq.values()))));
      EXPECT_TRUE(test::near(p.dk.storage, dk.storage, tolerance(sizes, 1.0F + test::max_abs(dk.values()))));
      EXPECT_TRUE(test::near(p.dv.storage, dv.storage, tolerance(sizes, 1.0F + test::max_abs(dv.values()))));
    });
  }
}

// Windows shorter and longer than blocks and sequences, and sinks of all sizes.
TEST(AttentionKernelTest, WindowsAndSinksMatchReference) {
  const std::vector<float> sinks = {0.3F, -40.0F, 2.0F, 9.0F, -1.0F, 60.0F};
  std::vector<AttentionSizes> all;
  for (const std::int64_t window : {0, 1, 2, 17, 64, 65, 130, 1000}) {
    for (AttentionSizes sizes : {sizes_of(2, 150, 150, 6, 3, 20), sizes_of(1, 70, 200, 2, 1, 6),
                                 sizes_of(2, 1, 90, 4, 2, 8), sizes_of(1, 2, 200, 3, 3, 16)}) {
      sizes.window = window;
      sizes.sinks = window == 2 ? nullptr : sinks.data();
      all.push_back(sizes);
    }
  }
  for (const AttentionSizes& sizes : all) {
    SCOPED_TRACE(describe(sizes) + " window " + std::to_string(sizes.window));
    Problem p(sizes);
    Rows expected = p.out;
    Rows dq = p.dq;
    Rows dk = p.dk;
    Rows dv = p.dv;
    attention_reference(sizes, p.q.view(), p.k.view(), p.v.view(), expected.view());
    attention_backward_reference(sizes, p.dout.view(), p.q.view(), p.k.view(), p.v.view(), dq.view(), dk.view(),
                                 dv.view());
    test::for_each_isa([&] {
      p.forward();
      EXPECT_TRUE(test::near(p.out.storage, expected.storage, tolerance(sizes, test::max_abs(p.v.storage))));
      p.backward(false);
      EXPECT_TRUE(test::near(p.dq.storage, dq.storage, tolerance(sizes, 1.0F + test::max_abs(dq.values()))));
      EXPECT_TRUE(test::near(p.dk.storage, dk.storage, tolerance(sizes, 1.0F + test::max_abs(dk.values()))));
      EXPECT_TRUE(test::near(p.dv.storage, dv.storage, tolerance(sizes, 1.0F + test::max_abs(dv.values()))));
      attention(sizes, p.q.view(), p.k.view(), p.v.view(), p.out.view(), nullptr);
      EXPECT_TRUE(test::near(p.out.storage, expected.storage, tolerance(sizes, test::max_abs(p.v.storage))));
    });
  }
}

TEST(AttentionKernelTest, BackwardAddsWhenAsked) {
  test::for_each_isa([] {
    Problem p(sizes_of(2, 67, 67, 4, 2, 20));
    p.forward();
    const std::vector<float> before = p.dk.values();
    p.backward(true);
    const std::vector<float> sum = p.dk.values();
    p.backward(false);
    const std::vector<float> alone = p.dk.values();
    std::vector<float> expected(before);
    for (std::size_t i = 0; i < expected.size(); ++i) expected[i] += alone[i];
    EXPECT_TRUE(test::near(sum, expected, 1e-5F * (1.0F + test::max_abs(alone))));
  });
}

// Where one key takes everything, the row is that key's value, and no score may overflow on the way.
TEST(AttentionKernelTest, HugeScoresAreSafe) {
  test::for_each_isa([] {
    for (const float huge : {1e4F, 1e15F, 1e30F}) {
      AttentionSizes sizes = sizes_of(1, 80, 80, 1, 1, 4);
      Problem p(sizes, huge);
      Rows expected = p.out;
      p.forward();
      attention_reference(sizes, p.q.view(), p.k.view(), p.v.view(), expected.view());
      EXPECT_TRUE(test::near(p.out.values(), expected.values(), 1e-2F)) << huge;
      p.backward(false);
      for (const float value : p.dv.values()) ASSERT_TRUE(std::isfinite(value)) << huge;
      for (const float value : p.dq.values()) ASSERT_TRUE(std::isfinite(value)) << huge;
    }
  });
}

TEST(AttentionKernelTest, NaNIsPassedOnToTheRowsThatSeeIt) {
  test::for_each_isa([] {
    for (const bool in_key : {true, false}) {
      Problem p(sizes_of(1, 100, 100, 1, 1, 8));
      (in_key ? p.k : p.q).view()(70, 3) = std::numeric_limits<float>::quiet_NaN();
      p.forward();
      for (std::int64_t row = 0; row < 100; ++row) {
        const bool expected = in_key ? row >= 70 : row == 70;
        EXPECT_EQ(std::isnan(p.out.view()(row, 0)), expected) << row;
      }
    }
  });
}

TEST(AttentionKernelTest, NothingToDo) {
  test::for_each_isa([] {
    for (const AttentionSizes& sizes : {sizes_of(0, 5, 5, 2, 1, 4), sizes_of(2, 0, 0, 2, 1, 4)}) {
      Problem p(sizes);
      p.forward();
      p.backward(false);
    }
    Problem p(sizes_of(1, 0, 9, 2, 1, 4));  // no query sees the keys: their gradient is zero
    p.forward();
    p.backward(false);
    EXPECT_EQ(test::max_abs(p.dk.values()), 0.0F);
    EXPECT_EQ(test::max_abs(p.dv.values()), 0.0F);
  });
}

}  // namespace kernels_attention_test
}  // namespace witan::kernels
