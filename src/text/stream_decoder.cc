// Bytes of tokens -> whole characters.
#include "text/tokenizer.h"
#include "text/utf8.h"

namespace witan {

std::string StreamDecoder::push(std::string_view bytes) {
  pending_ += bytes;
  // At most the last three bytes can be the start of a character that is still to come.
  std::size_t keep = 0;
  for (std::size_t tail = 1; tail <= 3 && tail <= pending_.size(); ++tail) {
    if (utf8_incomplete(std::string_view(pending_).substr(pending_.size() - tail))) keep = tail;
  }
  std::string complete = replace_invalid_utf8(std::string_view(pending_).substr(0, pending_.size() - keep));
  pending_.erase(0, pending_.size() - keep);
  return complete;
}

std::string StreamDecoder::finish() {
  std::string rest = replace_invalid_utf8(pending_);
  pending_.clear();
  return rest;
}

}  // namespace witan
