// Routers of classical mixtures: the E-step. From log w_k f_k to the responsibilities that the M-step uses as weights.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace witan::mixtures {

class Router {
 public:
  Router() = default;
  Router(const Router&) = delete;
  Router& operator=(const Router&) = delete;
  virtual ~Router() = default;

  // columns[k] [count]: log w_k f_k of the rows first_row .. in, responsibilities out. contributions [count]: what each
  // row adds to the objective that EM climbs with this router.
  virtual void route(std::int64_t first_row, std::int64_t count, std::span<double* const> columns,
                     double* contributions) const = 0;
  // Before each E-step.
  virtual void begin_iteration(int /*iteration*/) {}
  // Whether EM climbs `contributions`, so that it can be told when it has arrived.
  virtual bool monotone() const { return true; }
};

// "posterior": h = w f / sum w f (Dempster, Laird & Rubin 1977); climbs the log-likelihood.
// "hard": all to the expert of the largest w f, the lowest number where they tie (classification EM, Celeux & Govaert
// 1992); climbs sum log max_k w_k f_k.
// "stochastic": all to one expert drawn from the posterior (Celeux & Diebolt 1985); settles in distribution only.
// Throws Error for another name.
std::unique_ptr<Router> make_router(std::string_view name, std::uint64_t seed);
const std::vector<std::string>& router_names();

}  // namespace witan::mixtures
