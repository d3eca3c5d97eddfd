// Size classes: eight per doubling, so that at most an eighth of a block is unused; one free list per class.
#include "base/pool.h"

#include <sys/mman.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstdlib>
#include <mutex>
#include <new>

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
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

// Small blocks come several at a time: how many of a size a step needs at once varies with the routing.
constexpr std::size_t kSmallBlock = std::size_t{16} << 10;
constexpr std::size_t kBlocksOfSlab = 8;

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

char* system_memory(std::size_t bytes) {
  const bool huge = bytes >= kHugePage;
  void* memory = nullptr;
  if (posix_memalign(&memory, huge ? kHugePage : kAlignment, bytes) != 0) throw std::bad_alloc();
#ifdef MADV_HUGEPAGE
  // Whole huge pages only, so that no memory past the block is taken. Merely advice: the kernel may refuse.
  if (huge) madvise(memory, bytes / kHugePage * kHugePage, MADV_HUGEPAGE);
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
    FreeBlock*& list = free_.at(static_cast<std::size_t>(size.index));
    void* block = list;
    if (block != nullptr) {
      ASAN_UNPOISON_MEMORY_REGION(block, sizeof(FreeBlock));
      list = list->next;
    } else {
      block = from_system(size);
    }
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
    FreeBlock*& list = free_[static_cast<std::size_t>(size.index)];
    freed->next = list;
    list = freed;
    ASAN_POISON_MEMORY_REGION(block, size.bytes);
    statistics_.bytes_in_use -= size.bytes;
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
  // A block of the class; of a small class a slab, whose other blocks go to the free list.
  void* from_system(const SizeClass& size) {
    const std::size_t blocks = size.bytes <= kSmallBlock ? kBlocksOfSlab : 1;
    char* memory = system_memory(blocks * size.bytes);
    statistics_.bytes_reserved += blocks * size.bytes;
    ++statistics_.system_allocations;
    FreeBlock*& list = free_[static_cast<std::size_t>(size.index)];
    for (std::size_t i = 1; i < blocks; ++i) list = new (memory + i * size.bytes) FreeBlock{list};
    return memory;
  }

  std::mutex mutex_;
  std::array<FreeBlock*, 64 * kClassesPerDoubling> free_{};
  PoolStatistics statistics_;
};

// Lives until the process ends: blocks may be freed by destructors of statics.
Pool& pool() {
  static Pool& instance = *new Pool;
  return instance;
}

}  // namespace

void* pool_allocate(std::size_t bytes) { return pool().allocate(bytes); }
void pool_free(void* block, std::size_t bytes) noexcept { pool().release(block, bytes); }
PoolStatistics pool_statistics() { return pool().statistics(); }
void pool_reset_peak() { pool().reset_peak(); }

}  // namespace witan
