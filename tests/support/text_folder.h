// Small text files for tests of everything that reads data.
#pragma once

#include <zlib.h>

#include <stdexcept>
#include <string>

#include "base/file.h"

namespace witan::test {

// `count` lines: "<word> line 0\n", "<word> line 1\n", ...
inline std::string numbered_lines(const std::string& word, int count) {
  std::string text;
  for (int i = 0; i < count; ++i) text += word + " line " + std::to_string(i) + "\n";
  return text;
}

// `text` as one gzip member.
inline std::string gzipped(const std::string& text) {
  z_stream state{};
  if (deflateInit2(&state, 1, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY) != Z_OK) {
    throw std::runtime_error("deflateInit2 failed");
  }
  std::string input = text;
  std::string out(deflateBound(&state, static_cast<uLong>(text.size())) + 64, '\0');
  state.next_in = reinterpret_cast<Bytef*>(input.data());
  state.avail_in = static_cast<uInt>(input.size());
  state.next_out = reinterpret_cast<Bytef*>(out.data());
  state.avail_out = static_cast<uInt>(out.size());
  if (deflate(&state, Z_FINISH) != Z_STREAM_END) throw std::runtime_error("deflate failed");
  out.resize(state.total_out);
  deflateEnd(&state);
  return out;
}

}  // namespace witan::test
