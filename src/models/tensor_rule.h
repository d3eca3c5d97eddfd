// How a parameter of a decoder is named and laid out in the files of an architecture.
#pragma once

#include <array>
#include <cstddef>
#include <string_view>

namespace witan {

// How several parameters share one stored tensor: one after the other along their first dimension (of an expert), or
// row by row in turn. They stand in the order of the parameters.
enum class Join { kNone, kStacked, kInterleaved };

// A parameter under another name or in another layout than Witan's. Names of layers stand below "model.layers.N.".
struct TensorRule {
  std::string_view ours;    // "mlp.experts.up_proj", [E, F, D]
  std::string_view stored;  // "mlp.experts.{}.up_proj.weight": with {}, one tensor [F, D] per expert; without, all in
                            // one. A bank that is no bank of routed experts is stored without its first dimension.
  Join join = Join::kNone;
  bool transposed = false;  // stored as [.., in, out]
  bool flat = false;        // a bank without its first dimension: [E * out, in]
};

// The routed experts of most releases.
inline constexpr std::array kExpertsOneByOne = {
    TensorRule{"mlp.experts.gate_proj", "mlp.experts.{}.gate_proj.weight"},
    TensorRule{"mlp.experts.up_proj", "mlp.experts.{}.up_proj.weight"},
    TensorRule{"mlp.experts.down_proj", "mlp.experts.{}.down_proj.weight"},
};

template <std::size_t kFirst, std::size_t kSecond>
constexpr std::array<TensorRule, kFirst + kSecond> joined(const std::array<TensorRule, kFirst>& first,
                                                          const std::array<TensorRule, kSecond>& second) {
  std::array<TensorRule, kFirst + kSecond> all{};
  for (std::size_t i = 0; i < kFirst; ++i) all[i] = first[i];
  for (std::size_t i = 0; i < kSecond; ++i) all[kFirst + i] = second[i];
  return all;
}

}  // namespace witan
