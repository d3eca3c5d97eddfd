// The three E-steps.
#include "mixtures/router.h"

#include "base/error.h"
#include "base/random.h"
#include "base/suggest.h"
#include "kernels/columns.h"

namespace witan::mixtures {
namespace {

void assign_to(std::size_t expert, std::int64_t row, std::span<double* const> columns) {
  for (std::size_t k = 0; k < columns.size(); ++k) columns[k][row] = k == expert ? 1.0 : 0.0;
}

class PosteriorRouter : public Router {
 public:
  void route(std::int64_t /*first_row*/, std::int64_t count, std::span<double* const> columns,
             double* contributions) const override {
    kernels::column_softmax(columns, count, contributions);
  }
};

class HardRouter : public Router {
 public:
  void route(std::int64_t /*first_row*/, std::int64_t count, std::span<double* const> columns,
             double* contributions) const override {
    for (std::int64_t i = 0; i < count; ++i) {
      std::size_t best = 0;
      for (std::size_t k = 1; k < columns.size(); ++k) {
        if (columns[k][i] > columns[best][i]) best = k;
      }
      contributions[i] = columns[best][i];
      assign_to(best, i, columns);
    }
  }
};

class StochasticRouter : public Router {
 public:
  explicit StochasticRouter(std::uint64_t seed) : seed_(seed) {}
  void begin_iteration(int iteration) override { stream_ = static_cast<std::uint64_t>(iteration); }
  void route(std::int64_t first_row, std::int64_t count, std::span<double* const> columns,
             double* contributions) const override {
    kernels::column_softmax(columns, count, contributions);
    Random random(seed_, stream_);
    // A draw of 53 bits takes two words: row n always finds its own, whoever serves the block.
    random.seek(2 * static_cast<std::uint64_t>(first_row));
    for (std::int64_t i = 0; i < count; ++i) {
      double left = random.uniform_open();
      std::size_t drawn = 0;
      while (drawn + 1 < columns.size() && left >= columns[drawn][i]) left -= columns[drawn++][i];
      assign_to(drawn, i, columns);
    }
  }
  bool monotone() const override { return false; }

 private:
  std::uint64_t seed_;
  std::uint64_t stream_ = 0;
};

}  // namespace

const std::vector<std::string>& router_names() {
  static const std::vector<std::string> names = {"posterior", "hard", "stochastic"};
  return names;
}

std::unique_ptr<Router> make_router(std::string_view name, std::uint64_t seed) {
  if (name == "posterior") return std::make_unique<PosteriorRouter>();
  if (name == "hard") return std::make_unique<HardRouter>();
  if (name == "stochastic") return std::make_unique<StochasticRouter>(seed);
  fail("fit.router: unknown router '{}'{}", name, suggestion(name, router_names()));
}

}  // namespace witan::mixtures
