// Parallel loops over OpenMP.
#include "base/parallel.h"

#include <omp.h>

#include <algorithm>
#include <atomic>
#include <exception>
#include <vector>

#include "base/pool.h"

namespace witan {
namespace {

// Keeps the first exception thrown inside a parallel region, which must not escape it.
class FirstException {
 public:
  template <class Body>
  void guard(Body&& body) noexcept {
    try {
      body();
    } catch (...) {
      if (!taken_.exchange(true)) exception_ = std::current_exception();
    }
  }
  void rethrow() {
    if (exception_) std::rethrow_exception(exception_);
  }

 private:
  std::atomic<bool> taken_{false};
  std::exception_ptr exception_;
};

}  // namespace

int num_threads() { return omp_get_max_threads(); }

void set_num_threads(int count) { omp_set_num_threads(std::max(1, count)); }

void parallel_for(std::int64_t count, std::int64_t grain, const std::function<void(std::int64_t, std::int64_t)>& body) {
  if (count <= 0) return;
  const std::int64_t pieces_wanted = (count + std::max<std::int64_t>(grain, 1) - 1) / std::max<std::int64_t>(grain, 1);
  const std::int64_t pieces = std::min<std::int64_t>(num_threads(), pieces_wanted);
  if (pieces <= 1 || omp_in_parallel()) {
    body(0, count);
    return;
  }
  const std::int64_t length = (count + pieces - 1) / pieces;
  FirstException first;
#pragma omp parallel num_threads(static_cast <int>(pieces))
  {
    first.guard([&] {
      for (std::int64_t piece = omp_get_thread_num(); piece < pieces; piece += omp_get_num_threads()) {
        const std::int64_t begin = piece * length;
        if (begin < count) body(begin, std::min(count, begin + length));
      }
    });
  }
  first.rethrow();
}

void parallel_region(const std::function<void(int, int)>& body) {
  if (omp_in_parallel() || num_threads() == 1) {
    body(0, 1);
    return;
  }
  FirstException first;
#pragma omp parallel
  first.guard([&] { body(omp_get_thread_num(), omp_get_num_threads()); });
  first.rethrow();
}

namespace {

// The tasks of one thread that nobody has taken yet. A cache line of its own.
struct alignas(64) Share {
  std::atomic<std::int64_t> next{0};
  std::int64_t end = 0;
};

}  // namespace

void parallel_shares(std::span<const std::int64_t> cost_before, std::int64_t grain,
                     const std::function<void(const std::function<std::int64_t()>&)>& body) {
  const std::int64_t total = cost_before.back();
  const auto tasks = static_cast<std::int64_t>(cost_before.size()) - 1;
  const bool alone = omp_in_parallel() || total < grain;
  const std::int64_t threads = alone ? 1 : std::min<std::int64_t>(num_threads(), tasks);
  if (threads <= 1) {
    std::int64_t next = 0;
    if (tasks > 0) body([&] { return next < tasks ? next++ : -1; });
    return;
  }
  std::vector<Share, PoolAllocator<Share>> shares(static_cast<std::size_t>(threads));
  std::int64_t begin = 0;
  for (std::int64_t t = 0; t < threads; ++t) {
    const std::int64_t cost = total / threads * (t + 1);
    const auto cut = std::upper_bound(cost_before.begin(), cost_before.end() - 1, cost) - cost_before.begin();
    const std::int64_t end = t + 1 == threads ? tasks : std::max<std::int64_t>(begin, cut - 1);
    shares[static_cast<std::size_t>(t)].next = begin;
    shares[static_cast<std::size_t>(t)].end = end;
    begin = end;
  }
  FirstException first;
#pragma omp parallel num_threads(static_cast <int>(threads))
  {
    const auto own = static_cast<std::size_t>(omp_get_thread_num());
    first.guard([&] {
      body([&]() -> std::int64_t {
        for (std::size_t i = 0; i < shares.size(); ++i) {
          Share& share = shares[(own + i) % shares.size()];
          if (share.next.load(std::memory_order_relaxed) >= share.end) continue;
          const std::int64_t task = share.next.fetch_add(1, std::memory_order_relaxed);
          if (task < share.end) return task;
        }
        return -1;
      });
    });
  }
  first.rethrow();
}

}  // namespace witan
