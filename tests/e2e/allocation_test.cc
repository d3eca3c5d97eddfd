// What a training step asks of the system's allocator after the first: only bookkeeping of a fixed size and number.
// A program of its own, because it replaces the global operator new.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdlib>
#include <new>

#include "base/parallel.h"
#include "base/pool.h"
#include "support/token_text.h"
#include "training/trainer.h"

namespace {

std::atomic<std::size_t> calls{0};
std::atomic<std::size_t> largest{0};
std::atomic<std::ptrdiff_t> alive{0};

void* counted_or_null(std::size_t bytes, std::size_t alignment) noexcept {
  ++calls;
  ++alive;
  std::size_t seen = largest;
  while (bytes > seen && !largest.compare_exchange_weak(seen, bytes)) {
  }
  const std::size_t rounded = (std::max<std::size_t>(bytes, 1) + alignment - 1) / alignment * alignment;
  return std::aligned_alloc(alignment, rounded);
}

void* counted(std::size_t bytes, std::size_t alignment) {
  void* block = counted_or_null(bytes, alignment);
  if (block == nullptr) throw std::bad_alloc();
  return block;
}

void released(void* block) noexcept {
  if (block != nullptr) --alive;
  std::free(block);
}

}  // namespace

void* operator new(std::size_t bytes) { return counted(bytes, alignof(std::max_align_t)); }
void* operator new[](std::size_t bytes) { return counted(bytes, alignof(std::max_align_t)); }
void* operator new(std::size_t bytes, std::align_val_t alignment) {
  return counted(bytes, static_cast<std::size_t>(alignment));
}
void* operator new[](std::size_t bytes, std::align_val_t alignment) {
  return counted(bytes, static_cast<std::size_t>(alignment));
}
void* operator new(std::size_t bytes, const std::nothrow_t&) noexcept {
  return counted_or_null(bytes, alignof(std::max_align_t));
}
void* operator new[](std::size_t bytes, const std::nothrow_t&) noexcept {
  return counted_or_null(bytes, alignof(std::max_align_t));
}
void operator delete(void* block) noexcept { released(block); }
void operator delete[](void* block) noexcept { released(block); }
void operator delete(void* block, std::size_t) noexcept { released(block); }
void operator delete[](void* block, std::size_t) noexcept { released(block); }
void operator delete(void* block, std::align_val_t) noexcept { released(block); }
void operator delete[](void* block, std::align_val_t) noexcept { released(block); }
void operator delete(void* block, std::size_t, std::align_val_t) noexcept { released(block); }
void operator delete[](void* block, std::size_t, std::align_val_t) noexcept { released(block); }

namespace witan {
namespace {

// Names, loads per expert and closures of parallel loops: a few hundred bytes each. Anything of the size of a row of
// tokens comes from the pool.
constexpr std::size_t kBookkeeping = 2048;

// Some seventy per layer and micro-batch, whatever their size.
constexpr std::size_t kMostCalls = 600;

class AllocationTest : public testing::TestWithParam<int> {};

TEST_P(AllocationTest, AfterTheFirstStepOnlyBookkeepingIsAllocated) {
  set_num_threads(GetParam());
  TrainSettings settings = preset_settings("tiny");
  settings.budget = {.steps = 20};
  settings.data.batch_size = 8;
  settings.data.sequence_length = 128;
  settings.data.gradient_accumulation_steps = 2;
  settings.model.vocab_size = make_byte_tokenizer()->vocab_size();
  Trainer trainer(settings, make_byte_tokenizer(), test::small_corpus(8000), "key");
  trainer.step();

  const PoolStatistics before = pool_statistics();
  const std::ptrdiff_t alive_before = alive;
  for (int step = 2; step <= 12; ++step) {
    calls = 0;
    largest = 0;
    trainer.step();
    EXPECT_LE(calls, kMostCalls) << "step " << step;
    EXPECT_LE(largest, kBookkeeping) << "step " << step;
    EXPECT_EQ(alive, alive_before) << "step " << step << " kept memory";
  }
  EXPECT_EQ(pool_statistics().system_allocations, before.system_allocations);
  EXPECT_EQ(pool_statistics().bytes_in_use, before.bytes_in_use);
}

INSTANTIATE_TEST_SUITE_P(Threads, AllocationTest, testing::Values(1, 2));

}  // namespace
}  // namespace witan
