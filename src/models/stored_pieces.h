// How the parameters of a decoder are cut and named in a checkpoint.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "models/arch/architecture.h"

namespace witan {

// The sizes of a shape from dimension `first` on, as files hold them.
std::vector<std::int64_t> dimensions(const Shape& shape, int first = 0);

// A tensor of the checkpoint, and where its values stand in the decoder.
struct StoredPiece {
  std::string name;
  std::vector<std::int64_t> shape;
  std::span<float> values;
};

// In the order of the parameters.
std::vector<StoredPiece> stored_pieces(const Architecture& architecture, const std::vector<Parameter>& parameters);

}  // namespace witan
