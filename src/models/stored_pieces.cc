// Names and layouts by the rules of an architecture.
#include "models/stored_pieces.h"

#include <fmt/core.h>

#include <algorithm>
#include <map>

#include "base/error.h"
#include "base/parallel.h"

namespace witan {
namespace {

constexpr std::string_view kLayers = "model.layers.";
constexpr std::string_view kExpert = "{}";
constexpr std::string_view kRoutedExperts = "mlp.experts.";

// Of every architecture: dense networks, which are banks of one expert here.
constexpr std::array kDenseRules = {
    TensorRule{"mlp.gate_proj", "mlp.gate_proj.weight"},
    TensorRule{"mlp.up_proj", "mlp.up_proj.weight"},
    TensorRule{"mlp.down_proj", "mlp.down_proj.weight"},
    TensorRule{"mlp.gate_proj_bias", "mlp.gate_proj.bias"},
    TensorRule{"mlp.up_proj_bias", "mlp.up_proj.bias"},
    TensorRule{"mlp.down_proj_bias", "mlp.down_proj.bias"},
    TensorRule{"mlp.shared_expert.gate_proj", "mlp.shared_expert.gate_proj.weight"},
    TensorRule{"mlp.shared_expert.up_proj", "mlp.shared_expert.up_proj.weight"},
    TensorRule{"mlp.shared_expert.down_proj", "mlp.shared_expert.down_proj.weight"},
};

// "model.layers.3.mlp.gate.weight" -> "3." and "mlp.gate.weight"; no layer: "" and all of it.
struct Place {
  std::string_view layer;
  std::string_view local;
};
Place place_of(std::string_view name) {
  if (!name.starts_with(kLayers)) return {{}, name};
  const std::size_t dot = name.find('.', kLayers.size());
  WITAN_ASSERT(dot != std::string_view::npos);
  return {name.substr(kLayers.size(), dot + 1 - kLayers.size()), name.substr(dot + 1)};
}

const TensorRule* find_rule(std::span<const TensorRule> rules, std::string_view local) {
  for (const std::span<const TensorRule> candidates : {rules, std::span<const TensorRule>(kDenseRules)}) {
    for (const TensorRule& rule : candidates) {
      if (rule.ours == local) return &rule;
    }
  }
  return nullptr;
}

std::string prefix_of(const Place& place, std::string_view layers) {
  return place.layer.empty() ? std::string() : std::string(layers) + std::string(place.layer);
}

// [E, out, in] or, of biases, [E, out].
bool is_bank(std::string_view local, const Shape& shape) {
  return shape.rank() == 3 || (shape.rank() == 2 && local.ends_with("_bias"));
}

void store(float value, float& to) { to = value; }
void store(float value, BFloat16& to) { to = to_bfloat16(value); }
void store(float value, Float16& to) { to = to_float16(value); }

}  // namespace

class PieceMaker {
 public:
  PieceMaker(std::span<const TensorRule> rules, std::string_view layers) : rules_(rules), layers_(layers) {}

  // tensor: undefined when the parameter is nowhere.
  void add(const std::string& parameter, const Shape& shape, const Tensor& tensor) {
    const Place place = place_of(parameter);
    const TensorRule* const rule = find_rule(rules_, place.local);
    if (rule == nullptr) {
      add_as_it_is(prefix_of(place, layers_) + std::string(place.local), parameter, shape, tensor);
      return;
    }
    const bool bank = is_bank(place.local, shape);
    const std::string name = prefix_of(place, layers_) + std::string(rule->stored);
    const std::int64_t banks = bank ? shape[0] : 1;
    const int first = bank ? 1 : 0;
    const bool has_cols = shape.rank() > first + 1;
    const Member member{parameter, 0, tensor, shape[first], has_cols ? shape[first + 1] : 1, has_cols};
    const std::size_t at = name.find(kExpert);
    if (at == std::string::npos) {
      const bool routed = place.local.starts_with(kRoutedExperts);
      join(name, *rule, banks, member, bank && routed && !rule->flat);
      return;
    }
    for (std::int64_t expert = 0; expert < banks; ++expert) {
      std::string of_expert = name;
      of_expert.replace(at, kExpert.size(), fmt::format("{}", expert));
      Member one = member;
      one.first_bank = expert;
      join(of_expert, *rule, 1, one, false);
    }
  }

  std::vector<StoredPiece> take() {
    for (StoredPiece& piece : pieces_) {
      if (piece.shape.empty()) finish(piece);
    }
    return std::move(pieces_);
  }

 private:
  struct Member {
    std::string parameter;
    std::int64_t first_bank;
    Tensor tensor;
    std::int64_t rows;
    std::int64_t cols;
    bool has_cols;
  };

  void add_as_it_is(std::string name, const std::string& parameter, const Shape& shape, const Tensor& tensor) {
    StoredPiece piece;
    piece.name = std::move(name);
    piece.shape = dimensions(shape);
    piece.rows_ = shape.numel();
    piece.members_.push_back({parameter, 0, tensor, shape.numel(), 0});
    pieces_.push_back(std::move(piece));
  }

  void join(const std::string& name, const TensorRule& rule, std::int64_t banks, const Member& member,
            bool shows_banks) {
    const auto [found, is_new] = by_name_.emplace(name, pieces_.size());
    if (is_new) {
      StoredPiece piece;
      piece.name = name;
      piece.banks_ = banks;
      piece.cols_ = member.cols;
      piece.has_cols_ = member.has_cols;
      piece.shows_banks_ = shows_banks;
      piece.interleaved_ = rule.join == Join::kInterleaved;
      piece.transposed_ = rule.transposed;
      piece.flat_ = rule.flat;
      pieces_.push_back(std::move(piece));
    }
    StoredPiece& piece = pieces_[found->second];
    WITAN_ASSERT((is_new || rule.join != Join::kNone) && piece.banks_ == banks && piece.cols_ == member.cols);
    piece.members_.push_back({member.parameter, member.first_bank, member.tensor, member.rows, piece.rows_});
    piece.rows_ += member.rows;
  }

  static void finish(StoredPiece& piece) {
    piece.shape = piece.plain_shape();
    if (piece.transposed_) std::swap(piece.shape[piece.shape.size() - 2], piece.shape.back());
    if (piece.flat_) piece.shape.front() *= piece.banks_;
  }

  std::span<const TensorRule> rules_;
  std::string_view layers_;
  std::vector<StoredPiece> pieces_;
  std::map<std::string, std::size_t> by_name_;
};

std::vector<std::int64_t> dimensions(const Shape& shape) {
  std::vector<std::int64_t> result;
  for (int i = 0; i < shape.rank(); ++i) result.push_back(shape[i]);
  return result;
}

std::vector<std::int64_t> StoredPiece::plain_shape() const {
  std::vector<std::int64_t> result;
  if (shows_banks_) result.push_back(banks_);
  result.push_back(rows_);
  if (has_cols_) result.push_back(cols_);
  return result;
}

std::int64_t num_banks(const ParameterOutline& parameter) {
  return is_bank(place_of(parameter.name).local, parameter.shape) ? parameter.shape[0] : 1;
}

std::vector<StoredPiece::Part> StoredPiece::parts() const {
  std::vector<Part> parts;
  for (const Member& member : members_) parts.push_back({member.parameter, member.first_bank, member.rows * cols_});
  return parts;
}

template <class Visit>
void StoredPiece::for_each_element(const Member& member, bool plain, const Visit& visit) const {
  const bool turned = transposed_ && !plain;
  const std::int64_t step = interleaved_ ? static_cast<std::int64_t>(members_.size()) : 1;
  const std::int64_t first = interleaved_ ? &member - members_.data() : member.first_row;
  constexpr std::int64_t kGrain = 1 << 14;
  parallel_for(member.rows, std::max<std::int64_t>(1, kGrain / cols_), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t row = begin; row < end; ++row) {
      const std::int64_t stored_row = first + row * step;
      for (std::int64_t col = 0; col < cols_; ++col) {
        visit(static_cast<std::size_t>(turned ? col * rows_ + stored_row : stored_row * cols_ + col),
              static_cast<std::size_t>(row * cols_ + col));
      }
    }
  });
}

void StoredPiece::gather_part(std::size_t part, std::span<const float> values, std::span<float> out) const {
  for_each_element(members_.at(part), false, [&](std::size_t stored, std::size_t own) { out[stored] = values[own]; });
}

void StoredPiece::scatter_part(std::size_t part, std::span<const float> in, bool plain, std::span<float> values) const {
  for_each_element(members_.at(part), plain, [&](std::size_t stored, std::size_t own) { values[own] = in[stored]; });
}

void StoredPiece::gather(std::int64_t bank, std::span<float> out) const {
  for (const Member& member : members_) {
    member.tensor.visit_matrix([&](const auto& matrix) {
      const auto* const values = matrix.data + first_of(member, bank);
      for_each_element(member, false,
                       [=](std::size_t stored, std::size_t own) { out[stored] = to_float(values[own]); });
    });
  }
}

void StoredPiece::scatter(std::int64_t bank, std::span<const float> in, bool plain) const {
  for (const Member& member : members_) {
    member.tensor.visit_matrix([&](const auto& matrix) {
      auto* const values = matrix.data + first_of(member, bank);
      for_each_element(member, plain, [=](std::size_t stored, std::size_t own) { store(in[stored], values[own]); });
    });
  }
}

bool StoredPiece::is_f16() const {
  return std::ranges::any_of(members_,
                             [](const Member& member) { return member.tensor.precision() == Precision::kF16; });
}

std::span<float> StoredPiece::in_place(bool plain) const {
  if (!is_verbatim(plain) || !members_.front().tensor.defined() || !members_.front().tensor.is_f32()) return {};
  const Member& member = members_.front();
  return member.tensor.values().subspan(first_of(member, 0), static_cast<std::size_t>(banks_ * member.rows * cols_));
}

std::vector<StoredPiece> stored_pieces(std::span<const TensorRule> rules, std::string_view layers,
                                       const std::vector<Parameter>& parameters) {
  PieceMaker maker(rules, layers);
  for (const Parameter& parameter : parameters) {
    maker.add(parameter.name, parameter.value.shape(), parameter.value);
  }
  return maker.take();
}

std::vector<StoredPiece> stored_pieces(std::span<const TensorRule> rules, std::string_view layers,
                                       std::span<const ParameterOutline> parameters) {
  PieceMaker maker(rules, layers);
  for (const ParameterOutline& parameter : parameters) maker.add(parameter.name, parameter.shape, Tensor());
  return maker.take();
}

std::string stored_name(std::span<const TensorRule> rules, std::string_view layers, const std::string& parameter) {
  const Place place = place_of(parameter);
  const TensorRule* const rule = find_rule(rules, place.local);
  return prefix_of(place, layers) + std::string(rule == nullptr ? place.local : rule->stored);
}

}  // namespace witan
