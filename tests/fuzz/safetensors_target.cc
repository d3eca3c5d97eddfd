// Header and data of a safetensors file.
#include <cstring>

#include "base/error.h"
#include "formats/safetensors.h"
#include "fuzz/require.h"
#include "fuzz/target.h"

namespace witan::fuzz {
namespace safetensors_fuzz {

std::string file_of(const std::string& header, std::size_t data_bytes) {
  const std::uint64_t length = header.size();
  std::string bytes(sizeof length, '\0');
  std::memcpy(bytes.data(), &length, sizeof length);
  return bytes + header + std::string(data_bytes, '\x3f');
}

std::vector<std::string> seeds() {
  return {file_of("{}", 0), file_of(R"({"a":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]}})", 24),
          file_of(R"({"__metadata__":{"format":"pt"},"a":{"dtype":"BF16","shape":[],"data_offsets":[0,2]},)"
                  R"("b":{"dtype":"I64","shape":[0,7],"data_offsets":[2,2]},)"
                  R"("c":{"dtype":"U8","shape":[3],"data_offsets":[2,5]}})",
                  5)};
}

void run(std::string_view input) {
  // Of its own, so that a read past the end is seen.
  const std::vector<char> copy(input.begin(), input.end());
  SafetensorsContent content;
  try {
    content = parse_safetensors(std::as_bytes(std::span(copy)), "input");
  } catch (const Error&) {
    return;
  }
  std::size_t stored = 0;
  unsigned sum = 0;
  for (const auto& [name, tensor] : content.tensors) {
    require(static_cast<std::size_t>(tensor.numel()) * dtype_bytes(tensor.dtype) == tensor.bytes.size(),
            "a tensor whose shape is not its size");
    stored += tensor.bytes.size();
    for (const std::byte byte : tensor.bytes) sum += static_cast<unsigned>(byte);
  }
  require(stored <= copy.size() && sum <= 255 * copy.size(), "tensors larger than the file");
}

}  // namespace safetensors_fuzz

Target safetensors_target() { return {"safetensors", safetensors_fuzz::seeds, safetensors_fuzz::run}; }

}  // namespace witan::fuzz
