// Size classes: eight per doubling, so that at most an eighth of a block is unused; one free list per class.
#include "base/pool.h"

#include <sys/mman.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstdlib>
#include <limits>
#include <mutex>
#include <new>

#include "base/pool_spares.h"

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#include <sanitizer/lsan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(block, bytes) (static_cast<void>(block), static_cast<void>(bytes))
#define ASAN_UNPOISON_MEMORY_REGION(block, bytes) (static_cast<void>(block), static_cast<void>(bytes))
#endif

namespace witan {
namespace {

constexpr std::size_t kAlignment = 64;
constexpr int kClassesPerDoubling = 8;
// Blocks of at least this are asked for in huge pages: a training step walks through hundreds of megabytes, and pages
// of 4 KiB cost it an eighth of its time in address translation.
constexpr std::size_t kHugePage = std::size_t{2} << 20;

// Blocks up to half of this come several at a time: how many of a size a step needs at once varies with the routing,
// and with how many threads happen to want scratch memory at the same moment. Pages that nobody writes to take no
// memory.
constexpr std::size_t kSlab = std::size_t{1} << 20;
constexpr std::size_t kMostBlocksOfSlab = 8;

struct SizeClass {
  int index;
  std::size_t bytes;
};

// The smallest class that holds `bytes`. Class bytes are (8 + step) * 2^(power - 3), all multiples of kAlignment.
SizeClass size_class(std::size_t bytes) {
  const std::size_t units = (std::max<std::size_t>(bytes, 1) + kAlignment - 1) / kAlignment;
  if (units <= kClassesPerDoubling) return {static_cast<int>(units) - 1, units * kAlignment};
  const int shift = std::bit_width(units - 1) - 4;         // units - 1 keeps its four highest bits
  const std::size_t rounded = ((units - 1) >> shift) + 1;  // 9 .. 16
  return {shift * kClassesPerDoubling + static_cast<int>(rounded) - 1, (rounded << shift) * kAlignment};
}

// `block`: into which sizes the memory will be cut.
char* system_memory(std::size_t bytes, std::size_t block) {
  const bool huge = block >= kHugePage;
  void* memory = nullptr;
  if (posix_memalign(&memory, huge ? kHugePage : kAlignment, bytes) != 0) throw std::bad_alloc();
#ifdef MADV_HUGEPAGE
  // Whole huge pages only, so that no memory past the block is taken. Merely advice: the kernel may refuse.
  if (huge) madvise(memory, bytes / kHugePage * kHugePage, MADV_HUGEPAGE);
#endif
#ifdef __SANITIZE_ADDRESS__
  __lsan_ignore_object(memory);  // the pool keeps it, in lists that lie in poisoned memory, where nobody looks
#endif
  return static_cast<char*>(memory);
}

struct FreeBlock {
  FreeBlock* next;
};

class Pool {
 public:
  void* allocate(std::size_t bytes) {
    const SizeClass size = size_class(bytes);
    const std::scoped_lock lock(mutex_);
    Class& blocks = classes_.at(static_cast<std::size_t>(size.index));
    if (blocks.free == nullptr) {
      add_from_system(blocks, size.bytes, std::clamp<std::size_t>(kSlab / size.bytes, 1, kMostBlocksOfSlab));
    }
    void* block = blocks.free;
    ASAN_UNPOISON_MEMORY_REGION(block, sizeof(FreeBlock));
    blocks.free = blocks.free->next;
    ++blocks.in_use;
    blocks.most_in_use = std::max(blocks.most_in_use, blocks.in_use);
    // Under AddressSanitizer only what was asked for may be touched.
    ASAN_POISON_MEMORY_REGION(block, size.bytes);
    ASAN_UNPOISON_MEMORY_REGION(block, bytes);
    statistics_.bytes_in_use += size.bytes;
    statistics_.peak_bytes_in_use = std::max(statistics_.peak_bytes_in_use, statistics_.bytes_in_use);
    return block;
  }

  void release(void* block, std::size_t bytes) noexcept {
    if (block == nullptr) return;
    const SizeClass size = size_class(bytes);
    const std::scoped_lock lock(mutex_);
    ASAN_UNPOISON_MEMORY_REGION(block, sizeof(FreeBlock));
    auto* freed = static_cast<FreeBlock*>(block);
    Class& blocks = classes_[static_cast<std::size_t>(size.index)];
    freed->next = blocks.free;
    blocks.free = freed;
    --blocks.in_use;
    ASAN_POISON_MEMORY_REGION(block, size.bytes);
    statistics_.bytes_in_use -= size.bytes;
  }

  void add_spares(std::size_t count) {
    const std::scoped_lock lock(mutex_);
    for (Class& blocks : classes_) {
      // The first byte written takes a whole huge page.
      if (blocks.bytes == 0 || blocks.bytes >= kHugePage) continue;
      const std::size_t spare = blocks.blocks - blocks.most_in_use;
      if (spare < count) add_from_system(blocks, blocks.bytes, count - spare);
    }
  }

  PoolStatistics statistics() {
    const std::scoped_lock lock(mutex_);
    return statistics_;
  }

  void reset_peak() {
    const std::scoped_lock lock(mutex_);
    statistics_.peak_bytes_in_use = statistics_.bytes_in_use;
  }

 private:
  struct Class {
    FreeBlock* free = nullptr;
    std::size_t bytes = 0;  // of a block; 0: never used
    std::size_t blocks = 0;
    std::size_t in_use = 0;
    std::size_t most_in_use = 0;
  };

  // One slab of new blocks, all of them free.
  void add_from_system(Class& blocks, std::size_t bytes, std::size_t count) {
    char* memory = system_memory(count * bytes, bytes);
    statistics_.bytes_reserved += count * bytes;
    ++statistics_.system_allocations;
    for (std::size_t i = 0; i < count; ++i) {
      blocks.free = new (memory + i * bytes) FreeBlock{blocks.free};
      ASAN_POISON_MEMORY_REGION(memory + i * bytes, bytes);
    }
    blocks.bytes = bytes;
    blocks.blocks += count;
  }

  std::mutex mutex_;
  std::array<Class, 64 * kClassesPerDoubling> classes_{};
  PoolStatistics statistics_;
};

// Lives until the process ends: blocks may be freed by destructors of statics.
Pool& pool() {
  static Pool& instance = *new Pool;
  return instance;
}

constexpr std::size_t kUnlimited = std::numeric_limits<std::size_t>::max();
thread_local std::size_t bytes_left = kUnlimited;  // of this thread's PoolLimit

}  // namespace

PoolLimit::PoolLimit(std::size_t bytes) : outer_(bytes_left) { bytes_left = std::min(bytes, kUnlimited - 1); }
PoolLimit::~PoolLimit() { bytes_left = outer_; }

void* pool_allocate(std::size_t bytes) {
  if (bytes_left != kUnlimited) {
    if (bytes > bytes_left) throw PoolLimitReached();
    bytes_left -= bytes;
  }
  return pool().allocate(bytes);
}
void pool_free(void* block, std::size_t bytes) noexcept { pool().release(block, bytes); }
void pool_add_spares(std::size_t count) { pool().add_spares(count); }
PoolStatistics pool_statistics() { return pool().statistics(); }
void pool_reset_peak() { pool().reset_peak(); }

}  // namespace witan
