// Memory that is used again: blocks go back to free lists by size, so that a training step allocates nothing from the
// system after the first. Blocks are 64-byte aligned. Thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <new>
#include <vector>

namespace witan {

struct PoolStatistics {
  std::size_t bytes_in_use = 0;          // handed out now
  std::size_t peak_bytes_in_use = 0;     // the most that was ever handed out at once
  std::size_t bytes_reserved = 0;        // taken from the system
  std::uint64_t system_allocations = 0;  // how often the system was asked
};

// Never null for bytes > 0; throws std::bad_alloc when the system has no more.
void* pool_allocate(std::size_t bytes);
void pool_free(void* block, std::size_t bytes) noexcept;
PoolStatistics pool_statistics();
void pool_reset_peak();

// While it lives, the thread that made it takes no more than this many bytes from the pool, whatever it gives back
// meanwhile: for what a foreign file asks to be built. Beyond that pool_allocate throws PoolLimitReached. Of limits
// within each other the inner one counts.
class PoolLimit {
 public:
  explicit PoolLimit(std::size_t bytes);
  ~PoolLimit();
  PoolLimit(const PoolLimit&) = delete;
  PoolLimit& operator=(const PoolLimit&) = delete;

 private:
  std::size_t outer_;
};

class PoolLimitReached : public std::bad_alloc {
 public:
  const char* what() const noexcept override { return "more memory than a PoolLimit allows"; }
};

// Base for small objects that live for a step.
struct Pooled {
  static void* operator new(std::size_t bytes) { return pool_allocate(bytes); }
  static void operator delete(void* block, std::size_t bytes) noexcept { pool_free(block, bytes); }
};

template <class T>
struct PoolAllocator {
  using value_type = T;
  PoolAllocator() = default;
  template <class U>
  PoolAllocator(const PoolAllocator<U>&) {}
  T* allocate(std::size_t n) { return static_cast<T*>(pool_allocate(n * sizeof(T))); }
  void deallocate(T* block, std::size_t n) noexcept { pool_free(block, n * sizeof(T)); }
  template <class U>
  bool operator==(const PoolAllocator<U>&) const {
    return true;
  }
};

template <class T>
using PooledVector = std::vector<T, PoolAllocator<T>>;

}  // namespace witan
