// Extensions of PyTorch, GGUF, Keras, Flax, ONNX and others.
#include "formats/weight_formats.h"

#include <algorithm>
#include <array>
#include <string>
#include <string_view>

namespace witan {

bool names_weights(const std::filesystem::path& file) {
  constexpr std::array<std::string_view, 10> kFormats = {".safetensors", ".bin", ".pt",      ".pth",  ".ckpt",
                                                         ".gguf",        ".h5",  ".msgpack", ".onnx", ".ot"};
  return file.filename().string().ends_with(".index.json") ||
         std::ranges::find(kFormats, file.extension().string()) != kFormats.end();
}

}  // namespace witan
