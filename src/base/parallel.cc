// Parallel loops over OpenMP.
#include "base/parallel.h"

#include <omp.h>

#include <algorithm>
#include <atomic>
#include <exception>

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

}  // namespace witan
